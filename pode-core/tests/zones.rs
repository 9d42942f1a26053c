//! Schedules at every change of the clocks in some unusual zones, within
//! fourteen years.
//!
//! The tests find the correct times by watching a clock minute by minute. A
//! library other than the tested one wrote down how far the clock is ahead of
//! UTC: see `corpus/zones/make.py`.

#![allow(clippy::unwrap_used, reason = "what was expected and isn't there fails the test")]

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use pode_core::cron::Cron;

const CHANGES: &str = include_str!("corpus/zones/changes.txt");

/// Minutes since 1970, by the clock of UTC or of a zone.
type Minutes = i64;

const HOUR: Minutes = 60;
const DAY: Minutes = 24 * HOUR;

fn moment(minutes: Minutes) -> Timestamp {
    Timestamp::from_second(minutes * 60).unwrap()
}

/// Returns the date that a clock shows.
fn date(shown: Minutes) -> Date {
    Offset::UTC.to_datetime(moment(shown)).date()
}

/// How many minutes the clocks of a zone were ahead of UTC, and from when on.
struct Zone {
    name: &'static str,
    at_first: Minutes,
    changes: Vec<(Minutes, Minutes)>,
}

impl Zone {
    fn all() -> Vec<Zone> {
        let mut zones: Vec<Zone> = Vec::new();
        for line in CHANGES.lines().filter(|line| !line.starts_with('#')) {
            let (name_or_moment, ahead) = line.trim_start().split_once(' ').unwrap();
            let (hours, minutes) = ahead[1..].split_once(':').unwrap();
            let ahead =
                hours.parse::<Minutes>().unwrap() * HOUR + minutes.parse::<Minutes>().unwrap();
            let ahead = if line.contains(" -") { -ahead } else { ahead };
            if line.starts_with(' ') {
                let change = name_or_moment.parse::<Timestamp>().unwrap().as_second() / 60;
                zones.last_mut().unwrap().changes.push((change, ahead));
            } else {
                zones.push(Zone { name: name_or_moment, at_first: ahead, changes: Vec::new() });
            }
        }
        zones
    }

    /// Returns what the clock shows.
    fn shows(&self, now: Minutes) -> Minutes {
        let count = self.changes.partition_point(|(change, _)| *change <= now);
        now + count.checked_sub(1).map_or(self.at_first, |last| self.changes[last].1)
    }
}

/// An expression, and its meaning.
struct Expression {
    written: String,
    /// Whether it fires when a clock shows this hour and minute.
    time: fn(Minutes, Minutes) -> bool,
    /// The day and the month, if it fires on that day only.
    on: Option<(i8, i8)>,
    /// Whether it fires once where a clock shows its time twice, or never.
    once: bool,
}

/// Returns expressions of all kinds, some of them for one day of the year.
fn expressions(on: Date) -> Vec<Expression> {
    let (day, month) = (on.day(), on.month());
    let every = |written: &str, once, time| Expression {
        written: format!("{written} * * *"),
        time,
        on: None,
        once,
    };
    let only = |written: &str, once, time| {
        let written = format!("{written} {day} {month} *");
        Expression { written, time, on: Some((day, month)), once }
    };
    vec![
        every("* *", false, |_, _| true),
        every("*/20 *", false, |_, minute| minute % 20 == 0),
        only("*/20 *", false, |_, minute| minute % 20 == 0),
        every("0 */2", false, |hour, minute| hour % 2 == 0 && minute == 0),
        every("* 1,2", true, |hour, _| hour == 1 || hour == 2),
        every("30 2", true, |hour, minute| (hour, minute) == (2, 30)),
        every("0 0", true, |hour, minute| (hour, minute) == (0, 0)),
        every("45 23", true, |hour, minute| (hour, minute) == (23, 45)),
        every("0,30 0-3", true, |hour, minute| hour <= 3 && minute % 30 == 0),
        only("0,30 0-3", true, |hour, minute| hour <= 3 && minute % 30 == 0),
    ]
}

impl Expression {
    fn is_of(&self, shown: Minutes) -> bool {
        (self.time)(shown.rem_euclid(DAY) / HOUR, shown.rem_euclid(HOUR))
            && self.on.is_none_or(|on| (date(shown).day(), date(shown).month()) == on)
    }

    /// Watches a clock, and returns when the expression fires.
    fn watch(&self, zone: &Zone, when: &Range<Minutes>) -> Vec<Timestamp> {
        let mut times = Vec::new();
        // An expression that fires once does so when the clock first shows its
        // time or a later one, so the times that it showed before matter.
        let mut latest = zone.shows(when.start - 2 * DAY);
        for now in when.start - 2 * DAY..when.end {
            let shown = zone.shows(now);
            let comes = match self.once {
                true => (latest + 1..=shown).any(|shown| self.is_of(shown)),
                false => self.is_of(shown),
            };
            latest = latest.max(shown);
            if comes && when.contains(&now) {
                times.push(moment(now));
            }
        }
        times
    }
}

/// Compares the times at which an expression fires around a change with the
/// correct ones.
fn check(zone: &Zone, database: &TimeZone, change: Minutes, expression: &Expression) {
    let Expression { written, on, .. } = expression;
    // For an expression that fires each minute, a shorter range is enough.
    let when = match written.starts_with("* * ") {
        true => change - 3 * HOUR..change + 4 * HOUR,
        false => change - 26 * HOUR..change + 52 * HOUR,
    };
    let right = expression.watch(zone, &when);
    let cron = Cron::parse(written).unwrap();
    let next = |after| cron.next_after(after, database).unwrap();
    let in_time = |time: &Timestamp| *time < moment(when.end);

    // For an expression of one day, the search begins long before, so that
    // other changes lie in between.
    let long_before = when.start - if on.is_some() { 300 * DAY } else { 1 };
    let first = next(moment(long_before));
    let found = std::iter::successors(Some(first), |after| Some(next(*after)));
    let found: Vec<_> = found.take_while(in_time).take(right.len() + 1).collect();
    assert_eq!(found, right, "`{written}` in {} around {}", zone.name, moment(change));

    // The result doesn't depend on where the search begins.
    for after in (change - 3 * HOUR..change + 3 * HOUR).step_by(23) {
        let after = moment(after) + std::time::Duration::from_millis(20_500);
        let right = right.iter().find(|time| **time > after);
        let found = Some(next(after)).filter(in_time);
        assert_eq!(found.as_ref(), right, "`{written}` in {} after {after}", zone.name);
    }
}

#[test]
fn each_change_of_the_clocks_is_right_in_every_zone() {
    std::thread::scope(|scope| {
        for zone in Zone::all() {
            scope.spawn(move || {
                let database = TimeZone::get(zone.name)
                    .unwrap_or_else(|error| panic!("{error}; on Debian, install `tzdata`"));
                // In a zone whose clocks never change, any moment will do.
                let any = (26_726_460, zone.at_first);
                for (change, _) in [any].iter().chain(&zone.changes) {
                    for expression in expressions(date(zone.shows(*change))) {
                        check(&zone, &database, *change, &expression);
                    }
                }
            });
        }
    });
}
