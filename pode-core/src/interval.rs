//! Intervals: whole numbers with a unit, such as `5s` or `500ms`.

use std::time::Duration;

/// Why a text is not an interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntervalError {
    /// A bare number.
    #[error("an interval needs a unit")]
    MissingUnit,
    /// A unit other than `ms`, `s`, `min` and `h`.
    #[error("unknown unit `{unit}` in an interval")]
    UnknownUnit {
        /// The unit as written.
        unit: String,
    },
    /// A point or an exponent in the number.
    #[error("an interval is a whole number with a unit, not `{written}`")]
    NotWhole {
        /// The interval as written.
        written: String,
    },
    /// Nothing can happen every zero seconds.
    #[error("an interval must be longer than zero")]
    Zero,
    /// More milliseconds than 64 bits hold.
    #[error("the interval `{written}` is too long")]
    TooLong {
        /// The interval as written.
        written: String,
    },
}

impl IntervalError {
    /// Returns what to write instead.
    pub fn help(&self) -> &'static str {
        match self {
            IntervalError::NotWhole { .. } => {
                "write a smaller unit, such as `1500ms` for 1.5 seconds"
            }
            IntervalError::UnknownUnit { unit } if unit == "m" => {
                "write `min` for minutes or `ms` for milliseconds"
            }
            IntervalError::Zero => "the shortest interval is `1ms`",
            _ => "write `5s`, `500ms`, `2min` or `1h`",
        }
    }
}

/// Parses a whole number and one of the units `ms`, `s`, `min` and `h`,
/// without a space between them.
///
/// ```
/// use std::time::Duration;
/// # use pode_core::interval;
///
/// assert_eq!(interval::parse("2min"), Ok(Duration::from_secs(120)));
/// assert_eq!(interval::parse("5"), Err(interval::IntervalError::MissingUnit));
/// ```
///
/// # Errors
///
/// Each variant of [`IntervalError`] names its cause and
/// [tells](IntervalError::help) what to write instead.
pub fn parse(written: &str) -> Result<Duration, IntervalError> {
    let end_of_number =
        written.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(written.len());
    let (number, unit) = written.split_at(end_of_number);
    let not_whole = || IntervalError::NotWhole { written: written.to_owned() };

    let milliseconds_per_unit: u64 = match unit {
        "" => return Err(IntervalError::MissingUnit),
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ if number.is_empty() || !unit.chars().all(char::is_alphabetic) => return Err(not_whole()),
        unit => return Err(IntervalError::UnknownUnit { unit: unit.to_owned() }),
    };
    let too_long = || IntervalError::TooLong { written: written.to_owned() };
    let number: u64 = match number.replace('_', "") {
        digits if digits.is_empty() => return Err(not_whole()),
        digits => digits.parse().map_err(|_| too_long())?,
    };
    match number.checked_mul(milliseconds_per_unit) {
        Some(0) => Err(IntervalError::Zero),
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        None => Err(too_long()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_with_a_unit_are_intervals() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse("1_000s"), Ok(Duration::from_secs(1000)));
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3600)));
    }

    #[test]
    fn everything_else_says_why() {
        assert_eq!(parse("5"), Err(IntervalError::MissingUnit));
        assert_eq!(parse("0s"), Err(IntervalError::Zero));
        assert_eq!(parse("5m"), Err(IntervalError::UnknownUnit { unit: "m".into() }));
        for written in ["1.5s", "1e3s", "s", "-5s", "_s", "5 s"] {
            assert_eq!(parse(written), Err(IntervalError::NotWhole { written: written.into() }));
        }
        for written in ["18446744073709551615h", "18446744073709551616s"] {
            assert_eq!(parse(written), Err(IntervalError::TooLong { written: written.into() }));
        }
    }
}
