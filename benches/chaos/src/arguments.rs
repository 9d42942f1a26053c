//! The arguments of the command.

use std::ops::Range;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "usage: tests/chaos SEEDS [--seconds N] [--short] [--folder PATH]

  SEEDS          how many seeds there are: from 0, or from that in the variable SEED
  --seconds N    how long faults happen in each, about; 50 by default
  --short        a few faults that are always the same, by fewer clients
  --folder PATH  where logs are kept of seeds that fail; `target/chaos` by default";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) seeds: Range<u64>,
    pub(crate) seconds: u64,
    pub(crate) is_short: bool,
    /// How many there are of `pode.v1`, and how many plain ones.
    pub(crate) clients: (usize, usize),
    pub(crate) folder: PathBuf,
}

impl Arguments {
    /// Parses the arguments; the error is a sentence.
    pub(crate) fn parse(
        mut words: impl Iterator<Item = String>,
        seed: Option<&str>,
    ) -> Result<Arguments, String> {
        let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number"));
        let seeds = number(&words.next().ok_or("how many seeds?")?)?;
        let first = seed.map_or(Ok(0), number)?;
        let mut arguments = Arguments {
            seeds: first..first.saturating_add(seeds),
            seconds: 50,
            is_short: false,
            clients: (60, 20),
            folder: std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into()).into(),
        };
        arguments.folder.push("chaos");
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--seconds" => arguments.seconds = number(&value()?)?,
                "--folder" => arguments.folder = value()?.into(),
                "--short" => (arguments.is_short, arguments.clients) = (true, (20, 6)),
                _ => return Err(format!("`{word}` is no option")),
            }
        }
        // A Redis works in its own.
        arguments.folder = std::path::absolute(&arguments.folder)
            .map_err(|error| format!("`{}`: {error}", arguments.folder.display()))?;
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_refused_by_name() {
        let parse =
            |text: &str, seed| Arguments::parse(text.split_whitespace().map(str::to_owned), seed);
        assert_eq!(parse("20", None).unwrap().seeds, 0..20);
        let one = parse("2 --seconds 15 --folder /kept", Some("7")).unwrap();
        assert_eq!((one.seeds, one.seconds, one.folder), (7..9, 15, "/kept".into()));
        assert!(parse("1 --short", None).unwrap().is_short);
        for wrong in ["", "x", "1 --seconds", "1 --seconds x", "1 --speed 1"] {
            assert!(parse(wrong, None).is_err(), "{wrong}");
        }
    }
}
