//! When a schedule fires next, by a clock that may be set at any time.
//!
//! How far the clock had come tells what one that was set forward has leapt
//! over. Each expression remembers what it has fired for, which a clock that was
//! set back may show a second time.

use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use pode_core::cron::Cron;

/// The expressions of a schedule, and how far it has come.
pub(super) struct Calendar<'schedule> {
    expressions: Vec<Expression<'schedule>>,
    /// Up to here, this included, all is over, by the clock as it is set now.
    passed: Timestamp,
    starts_at: Option<SystemTime>,
    ends_at: Option<SystemTime>,
}

struct Expression<'schedule> {
    expression: &'schedule Cron,
    /// Where it has fired for all its times, or has none.
    fired: Vec<Span>,
}

/// The time behind one moment, up to another, which is included.
struct Span {
    behind: Timestamp,
    until: Timestamp,
}

impl<'schedule> Calendar<'schedule> {
    /// `starts_at` is the moment before which it doesn't fire, `ends_at` the one
    /// after which it doesn't any more.
    pub(super) fn new(
        expressions: &'schedule [Cron],
        starts_at: Option<SystemTime>,
        ends_at: Option<SystemTime>,
        now: Timestamp,
    ) -> Self {
        let expression = |expression| Expression { expression, fired: Vec::new() };
        Calendar {
            expressions: expressions.iter().map(expression).collect(),
            passed: now,
            starts_at,
            ends_at,
        }
    }

    /// Returns the next time, which is over already if it was leapt over.
    pub(super) fn next(&mut self, now: &Zoned) -> Option<Timestamp> {
        for expression in &mut self.expressions {
            expression.believe(now.timestamp(), self.passed);
        }
        // A clock that was set back shows again what was over.
        self.passed = self.passed.min(now.timestamp());
        // A start before 1970 is long over, and one that is further off than
        // dates reach never comes.
        let starts_at = self.starts_at.map(|time| time.max(SystemTime::UNIX_EPOCH));
        let starts_at = starts_at.map(Timestamp::try_from).transpose().ok()?;
        let not_before = starts_at.map(|time| time - SignedDuration::from_nanos(1));
        let after = not_before.map_or(self.passed, |time| time.max(self.passed));
        let next = self
            .expressions
            .iter()
            .filter_map(|expression| expression.next(after, now.time_zone()));
        next.min()
            .filter(|next| self.ends_at.is_none_or(|ends_at| SystemTime::from(*next) <= ends_at))
    }

    /// Notes that it fires, for all times up to this one.
    pub(super) fn fire(&mut self, until: Timestamp) {
        if self.passed < until {
            for expression in &mut self.expressions {
                expression.fire(self.passed, until);
            }
            self.passed = until;
        }
    }

    /// Lets all times go by, up to this one.
    pub(super) fn pass(&mut self, now: Timestamp) {
        self.passed = self.passed.max(now);
    }
}

impl Expression<'_> {
    /// Returns the next time, later than this one, that it hasn't fired for.
    fn next(&self, mut after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        loop {
            let next = self.expression.next_after(after, zone)?;
            let fired = self.fired.iter().find(|span| span.behind < next && next <= span.until);
            let Some(span) = fired else { return Some(next) };
            after = span.until;
        }
    }

    fn fire(&mut self, behind: Timestamp, until: Timestamp) {
        match self.fired.last_mut() {
            Some(last) if last.until == behind => last.until = until,
            _ => self.fired.push(Span { behind, until }),
        }
        // If all were kept, there would be more and more.
        let memory = self.memory();
        self.fired.retain(|fired| until.duration_since(fired.until) <= memory);
    }

    /// Forgets what it has fired for if the clock had come much further than it
    /// shows now: then it was wrong.
    fn believe(&mut self, now: Timestamp, passed: Timestamp) {
        let memory = self.memory();
        self.fired.retain(|fired| fired.until.max(passed).duration_since(now) <= memory);
    }

    /// Returns by how much a clock is set back at most to show times again.
    fn memory(&self) -> SignedDuration {
        match self.expression.follows_the_clock() {
            true => SignedDuration::from_mins(1),
            false => SignedDuration::from_hours(3),
        }
    }
}
