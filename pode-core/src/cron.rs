//! Cron expressions: the minutes at which a schedule fires.
//!
//! Five fields, as in Pode: minute, hour, day of the month, month and weekday;
//! or one of Pode's words, such as `@hourly`. All five must match:
//! `0 0 13 * FRI` means Fridays that are the 13th.
//!
//! The fields are parsed here, so that errors have this crate's wording and
//! every form has Pode's meaning. croner finds the next time.
//! [`Cron::next_after`] documents what happens when daylight saving begins and
//! ends.

use std::fmt;
use std::ops::RangeInclusive;

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, datetime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A cron expression that fires at some time.
///
/// ```
/// use jiff::Timestamp;
/// use jiff::tz::TimeZone;
/// # use pode_core::cron::Cron;
///
/// let nightly = Cron::parse("0 0 * * *").unwrap();
/// let noon: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
/// let midnight: Timestamp = "2026-05-02T00:00:00Z".parse().unwrap();
/// assert_eq!(nightly.next_after(noon, &TimeZone::UTC), Some(midnight));
///
/// let mistake = Cron::parse("61 * * * *").unwrap_err();
/// assert_eq!(mistake.to_string(), "cron minute `61` is out of range");
/// ```
#[derive(Clone, Debug)]
pub struct Cron {
    calendar: croner::Cron,
    /// Whether the hour is `*` or `*/n`.
    follows_the_clock: bool,
}

/// The words that may replace the five fields, with their meanings.
pub const WORDS: [(&str, &str); 14] = [
    ("@minutely", "* * * * *"),
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@quarterly", "0 0 1 1,4,7,10 *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@twice-hourly", "0,30 * * * *"),
    ("@twice-daily", "0 0,12 * * *"),
    ("@twice-weekly", "0 0 * * 0,4"),
    ("@twice-monthly", "0 0 1,15 * *"),
    ("@twice-yearly", "0 0 1 1,6 *"),
    ("@twice-annually", "0 0 1 1,6 *"),
];

/// Why a text is not a cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// Nothing but space.
    #[error("a cron expression is missing")]
    Empty,
    /// `@reboot`, which other crons support.
    #[error("`@reboot` names no time")]
    Reboot,
    /// An unknown word after an `@`.
    #[error("unknown cron word `{word}`")]
    UnknownWord {
        /// The word with its `@`.
        word: String,
    },
    /// A field for seconds, as some crons have it.
    #[error("cron expression `{written}` has six fields, and there is none for seconds")]
    Seconds {
        /// The expression as written.
        written: String,
    },
    /// Too few or too many fields.
    #[error("cron expression `{written}` has {count} fields instead of five")]
    FieldCount {
        /// The expression as written.
        written: String,
        /// How many there are.
        count: usize,
    },
    /// A number outside its field's values, or a step as long as the field.
    #[error("cron {field} `{value}` is out of range")]
    OutOfRange {
        /// The field.
        field: Field,
        /// The number as written.
        value: String,
    },
    /// A range from a later to an earlier value.
    #[error("cron {field} `{range}` runs backwards")]
    Backwards {
        /// The field.
        field: Field,
        /// The range as written.
        range: String,
    },
    /// Neither a number nor any other form.
    #[error("cron {field} `{part}` is not understood")]
    NotUnderstood {
        /// The field.
        field: Field,
        /// The part as written.
        part: String,
    },
    /// A day that none of its months has.
    #[error("cron expression `{written}` never comes")]
    Never {
        /// The expression as written.
        written: String,
    },
}

impl CronError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        const ORDER: &str =
            "write minute, hour, day of the month, month and weekday, as in `0 0 * * *`";
        match self {
            CronError::Reboot => {
                "write `{ on_start: true }` behind another expression to run it at the start, too"
                    .to_owned()
            }
            CronError::UnknownWord { .. } => {
                "write a word such as `@hourly` or `@daily`, or five fields, as in `0 0 * * *`"
                    .to_owned()
            }
            CronError::Empty | CronError::Seconds { .. } | CronError::FieldCount { .. } => {
                ORDER.to_owned()
            }
            CronError::OutOfRange { field, .. } => {
                let values = field.values();
                let sunday = match field {
                    Field::Weekday => "; 0 and 7 are Sunday",
                    _ => "",
                };
                format!("{field}s go from {} to {}{sunday}", values.start(), values.end())
            }
            CronError::Backwards { .. } => "write the earlier one first".to_owned(),
            CronError::NotUnderstood { field, .. } => {
                let name = match field {
                    Field::Month => ", a name such as `JAN`",
                    Field::Weekday => ", a name such as `MON`",
                    _ => "",
                };
                format!("write `*`, a number{name}, a range `2-5`, a list `2,5` or a step `*/5`")
            }
            CronError::Never { .. } => "name a day that one of its months has".to_owned(),
        }
    }
}

/// A field of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The minute of the hour.
    Minute,
    /// The hour of the day.
    Hour,
    /// The day of the month.
    Day,
    /// The month, which may be a name of three letters.
    Month,
    /// The day of the week, which may be a name of three letters.
    Weekday,
}

impl Field {
    /// Every field, in the order of an expression.
    pub const ALL: [Field; 5] =
        [Field::Minute, Field::Hour, Field::Day, Field::Month, Field::Weekday];

    /// Returns the allowed numbers.
    pub fn values(self) -> RangeInclusive<u8> {
        match self {
            Field::Minute => 0..=59,
            Field::Hour => 0..=23,
            Field::Day => 1..=31,
            Field::Month => 1..=12,
            // Sunday is at both ends, so that `SAT-SUN` is a range.
            Field::Weekday => 0..=7,
        }
    }

    /// Returns names for the numbers, starting at the first number.
    fn names(self) -> &'static [&'static str] {
        match self {
            Field::Month => &[
                "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
            ],
            Field::Weekday => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
            _ => &[],
        }
    }

    /// Writes the field as `*` or as a list of numbers.
    fn plain(self, written: &str) -> Result<String, CronError> {
        if written == "*" {
            return Ok(written.to_owned());
        }
        let mut numbers = Vec::new();
        for part in written.split(',') {
            numbers.extend(self.part(part)?.map(|number| match self {
                Field::Weekday => number % 7,
                _ => number,
            }));
        }
        numbers.sort_unstable();
        numbers.dedup();
        let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
        Ok(numbers.join(","))
    }

    /// Parses one part of a list: a number, a range or a step. A number before
    /// a step is its start, as in Pode.
    fn part(self, part: &str) -> Result<impl Iterator<Item = u8> + use<>, CronError> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        // Sunday is 7 only where the expression says so.
        let last = *self.values().end() - u8::from(self == Field::Weekday);
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (*self.values().start(), last),
            Some((first, last)) => {
                let last_number = match self.number(last, part)? {
                    0 if self == Field::Weekday => 7,
                    number => number,
                };
                (self.number(first, part)?, last_number)
            }
            None => {
                let number = self.number(range, part)?;
                (number, if step.is_some() { last.max(number) } else { number })
            }
        };
        if first > last {
            return Err(CronError::Backwards { field: self, range: range.to_owned() });
        }
        let step = match step {
            Some(step) => self.step(step, part)?,
            None => 1,
        };
        Ok((first..=last).step_by(step))
    }

    fn number(self, written: &str, part: &str) -> Result<u8, CronError> {
        let named = self.names().iter().position(|name| name.eq_ignore_ascii_case(written));
        if let Some(index) = named {
            return Ok(*self.values().start() + index as u8);
        }
        self.digits(written, part)?
            .filter(|number| self.values().contains(number))
            .ok_or_else(|| self.out_of_range(written))
    }

    /// Parses a step. A step beyond the field would only be a long way to write
    /// one number, and `*/90` is not every 90 minutes.
    fn step(self, written: &str, part: &str) -> Result<usize, CronError> {
        self.digits(written, part)?
            .filter(|step| (1..=*self.values().end()).contains(step))
            .map(usize::from)
            .ok_or_else(|| self.out_of_range(part))
    }

    /// Returns the number, or `None` if it is larger than any field's.
    fn digits(self, written: &str, part: &str) -> Result<Option<u8>, CronError> {
        if written.is_empty() || !written.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CronError::NotUnderstood { field: self, part: part.to_owned() });
        }
        Ok(written.parse().ok())
    }

    fn out_of_range(self, value: &str) -> CronError {
        CronError::OutOfRange { field: self, value: value.to_owned() }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::Day => "day",
            Field::Month => "month",
            Field::Weekday => "weekday",
        })
    }
}

impl Cron {
    /// Parses five fields, or one of the [`WORDS`].
    ///
    /// # Errors
    ///
    /// Each variant of [`CronError`] names its cause and
    /// [tells](CronError::help) what to write instead.
    pub fn parse(written: &str) -> Result<Cron, CronError> {
        let written = written.trim();
        let expression = match WORDS.iter().find(|(word, _)| *word == written) {
            Some((_, expression)) => expression,
            None if written == "@reboot" => return Err(CronError::Reboot),
            None if written.starts_with('@') => {
                return Err(CronError::UnknownWord { word: written.to_owned() });
            }
            None => written,
        };
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let owned = || written.to_owned();
        let &[_, hour, _, _, _] = fields.as_slice() else {
            return Err(match fields.len() {
                0 => CronError::Empty,
                6 => CronError::Seconds { written: owned() },
                count => CronError::FieldCount { written: owned(), count },
            });
        };
        let plain = Field::ALL.iter().zip(&fields).map(|(field, written)| field.plain(written));
        let plain = plain.collect::<Result<Vec<_>, _>>()?.join(" ");

        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build();
        // croner accepts the remaining lists, so the only error left is an
        // expression that never fires.
        let never = |_| CronError::Never { written: owned() };
        let calendar = parser.parse(&plain).map_err(never)?;
        calendar.find_next_occurrence(&datetime(1970, 1, 1, 0, 0, 0, 0), true).map_err(never)?;
        let follows_the_clock = hour.split(',').any(|part| part.starts_with('*'));
        Ok(Cron { calendar, follows_the_clock })
    }

    /// Tells whether the hour is `*` or `*/n`: such an expression follows the
    /// wall clock, and has no hours of its own to keep.
    pub fn follows_the_clock(&self) -> bool {
        self.follows_the_clock
    }

    /// Returns the next time, later than this one; `None` if there is none
    /// until the year 5000.
    ///
    /// If a zone's clocks go forward and an expression that names hours has a
    /// time in the gap, it fires right after the gap, and once however many of
    /// its times are in the gap. If the clocks go back, it fires at the first
    /// of two times that read alike. In other words, it fires when the clock
    /// shows a time of its own, or a later one, for the first time. An
    /// expression that [follows the clock](Self::follows_the_clock) makes up
    /// for nothing in the gap, and fires in both of the hours that read alike.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // Clocks are set, and schedules fire, at whole seconds.
        let first = Timestamp::from_second(after.as_second() + 1).ok()?;
        let find = |shown| self.calendar.find_next_occurrence(&shown, true).ok();
        let mut offset = zone.to_offset(after);
        let mut unseen = offset.to_datetime(first);
        if !self.follows_the_clock {
            unseen = unseen.max(latest_seen(zone, first).unwrap_or(unseen));
        }
        let mut next = find(unseen)?;
        for change in zone.following(after) {
            if offset.to_timestamp(next).ok()? < change.timestamp() {
                break;
            }
            offset = change.offset();
            let shown = offset.to_datetime(change.timestamp());
            if self.follows_the_clock {
                next = find(shown)?;
            } else if next <= shown {
                return Some(change.timestamp());
            }
        }
        offset.to_timestamp(next).ok()
    }
}

/// Returns the latest time, this one excluded, that a clock had reached before
/// it was set back; `None` if it wasn't set back recently.
fn latest_seen(zone: &TimeZone, until: Timestamp) -> Option<DateTime> {
    // No zone has ever set its clocks back by more than a day.
    let lately =
        |change: &Timestamp| until.duration_since(*change) <= SignedDuration::from_hours(24);
    let changes = zone.preceding(until).map(|change| change.timestamp()).take_while(lately);
    let before = |change: Timestamp| zone.to_offset(change - SignedDuration::from_nanos(1));
    changes.map(|change| before(change).to_datetime(change)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn next(expression: &str, after: &str) -> String {
        let cron = Cron::parse(expression).unwrap();
        let after = TimeZone::UTC.to_timestamp(after.parse().unwrap()).unwrap();
        let next = cron.next_after(after, &TimeZone::UTC).expect("it comes");
        next.strftime("%a %F %R").to_string()
    }

    #[test]
    fn all_five_fields_must_match() {
        // A Friday.
        let after = "2026-05-01T12:34:56.789";
        assert_eq!(next("* * * * *", after), "Fri 2026-05-01 12:35");
        assert_eq!(next("0 0 * * *", after), "Sat 2026-05-02 00:00");
        assert_eq!(next("0 0 13 * FRI", after), "Fri 2026-11-13 00:00");
        assert_eq!(next("5,10 9-17 * * mon-fri", after), "Fri 2026-05-01 13:05");
        assert_eq!(next("0 12 29 feb *", after), "Tue 2028-02-29 12:00");
        assert_eq!(next("30/10 * * * *", "2026-05-01T12:50:00"), "Fri 2026-05-01 13:30");
        assert_eq!(next("10-30/15 * * * *", "2026-05-01T12:10:00"), "Fri 2026-05-01 12:25");
    }

    #[test]
    fn sunday_has_two_numbers() {
        let after = "2026-05-01T00:00:00";
        for sunday in ["0", "7", "SUN", "7/2"] {
            assert_eq!(next(&format!("0 0 * * {sunday}"), after), "Sun 2026-05-03 00:00");
        }
        for weekend in ["SAT-SUN", "6-7", "6,0"] {
            assert_eq!(next(&format!("0 0 * * {weekend}"), after), "Sat 2026-05-02 00:00");
        }
        // Monday, Wednesday, Friday.
        assert_eq!(next("0 0 * * 1/2", "2026-05-01T00:00:00"), "Mon 2026-05-04 00:00");
    }

    #[test]
    fn every_word_is_an_expression() {
        for (word, expression) in WORDS {
            let after = "2026-05-01T12:34:56";
            assert_eq!(next(word, after), next(expression, after), "{word}");
        }
        assert_eq!(next("@quarterly", "2026-05-01T12:34:56"), "Wed 2026-07-01 00:00");
    }

    #[test]
    fn mistakes_say_what_and_where() {
        #[track_caller]
        fn check(written: &str, message: &str, help: &str) {
            let error = Cron::parse(written).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.help().as_str()), (message, help));
        }
        let five = "write minute, hour, day of the month, month and weekday, as in `0 0 * * *`";
        check(" ", "a cron expression is missing", five);
        check("* * *", "cron expression `* * *` has 3 fields instead of five", five);
        check(
            "0 0 0 * * *",
            "cron expression `0 0 0 * * *` has six fields, and there is none for seconds",
            five,
        );
        check("61 * * * *", "cron minute `61` is out of range", "minutes go from 0 to 59");
        check("0 24 * * *", "cron hour `24` is out of range", "hours go from 0 to 23");
        check("0 0 0 * *", "cron day `0` is out of range", "days go from 1 to 31");
        check("0 0 1 1-13 *", "cron month `13` is out of range", "months go from 1 to 12");
        check(
            "0 0 * * 999",
            "cron weekday `999` is out of range",
            "weekdays go from 0 to 7; 0 and 7 are Sunday",
        );
        check("*/90 * * * *", "cron minute `*/90` is out of range", "minutes go from 0 to 59");
        check("*/0 * * * *", "cron minute `*/0` is out of range", "minutes go from 0 to 59");
        check("0 17-9 * * *", "cron hour `17-9` runs backwards", "write the earlier one first");
        check(
            "0 0 L * *",
            "cron day `L` is not understood",
            "write `*`, a number, a range `2-5`, a list `2,5` or a step `*/5`",
        );
        check(
            "0 0 1 JANUARY *",
            "cron month `JANUARY` is not understood",
            "write `*`, a number, a name such as `JAN`, a range `2-5`, a list `2,5` or a step `*/5`",
        );
        for broken in [",", "1,", "1-", "-1", "/5", "*/", "1-2-3", "1/2/3", "R", "+1", "**"] {
            let error = Cron::parse(&format!("{broken} * * * *")).unwrap_err();
            assert!(matches!(error, CronError::NotUnderstood { .. }), "{broken}: {error:?}");
        }
        check(
            "0 0 31 2 *",
            "cron expression `0 0 31 2 *` never comes",
            "name a day that one of its months has",
        );
        check(
            "@reboot",
            "`@reboot` names no time",
            "write `{ on_start: true }` behind another expression to run it at the start, too",
        );
        check(
            "@sometimes",
            "unknown cron word `@sometimes`",
            "write a word such as `@hourly` or `@daily`, or five fields, as in `0 0 * * *`",
        );
    }
}
