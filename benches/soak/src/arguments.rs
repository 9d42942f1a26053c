//! The arguments of the command.

use std::time::Duration;

pub(crate) const USAGE: &str =
    "usage: tests/soak DURATION [--restarts N] [--faults N] [--clients N]

  DURATION       how long it runs: 90s, 10min, 8h; at least 10s
  --restarts N   how often another process takes over; 0 by default
  --faults N     how often one task of each kind panics and the log breaks; 0 by
                 default; takes longer than DURATION if that is less than a
                 minute for each
  --clients N    how many clients are there at once; 500 by default";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) duration: Duration,
    /// How often another process takes over.
    pub(crate) restarts: u32,
    /// How often a task of each kind panics, and the log breaks.
    pub(crate) faults: u32,
    /// How many clients there are at once, of all kinds.
    pub(crate) clients: usize,
}

impl Arguments {
    /// Parses the arguments; the error is a sentence.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let duration = words.next().ok_or("how long?")?;
        let duration = duration_of(&duration)
            .filter(|duration| *duration >= Duration::from_secs(10))
            .ok_or_else(|| format!("`{duration}` is no duration of at least 10s"))?;
        let mut arguments = Arguments { duration, restarts: 0, faults: 0, clients: 500 };
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{word}` needs a number"))?;
            let number = value.parse().map_err(|_| format!("`{value}` is no number"))?;
            match word.as_str() {
                "--restarts" => arguments.restarts = number,
                "--faults" => arguments.faults = number,
                "--clients" => arguments.clients = number as usize,
                _ => return Err(format!("`{word}` is no option")),
            }
        }
        Ok(arguments)
    }
}

/// Reads `90s`, `10min` or `8h`.
fn duration_of(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_refused_by_name() {
        let parse = |text: &str| Arguments::parse(text.split_whitespace().map(str::to_owned));
        let ten_minutes = Duration::from_secs(600);
        let expected = Arguments { duration: ten_minutes, restarts: 0, faults: 0, clients: 500 };
        assert_eq!(parse("10min"), Ok(expected));
        let expected = Arguments { duration: ten_minutes, restarts: 20, faults: 3, clients: 50 };
        assert_eq!(parse("600s --restarts 20 --faults 3 --clients 50"), Ok(expected));
        for wrong in ["", "10", "10m", "9s", "-1s", "1.5h", "s", "99999999999999999999h"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("1h --clients"), Err("`--clients` needs a number".to_owned()));
        assert_eq!(parse("1h --clients x"), Err("`x` is no number".to_owned()));
        assert_eq!(parse("1h --speed 1"), Err("`--speed` is no option".to_owned()));
    }
}
