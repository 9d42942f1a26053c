//! Computes when a schedule fires next, by a clock that may be set at any time.
//!
//! It remembers how far the clock had come, to find the times that a clock set
//! forward has leapt over. Each expression remembers the times for which it has
//! fired, since a clock that is set back may show them a second time.

use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use pode_core::cron::Cron;

/// The expressions of a schedule, and how far it has come.
pub(super) struct Calendar<'schedule> {
    expressions: Vec<Expression<'schedule>>,
    /// All times up to and including this one are over, by the clock as it is
    /// set now.
    passed: Timestamp,
    starts_at: Option<SystemTime>,
    ends_at: Option<SystemTime>,
}

struct Expression<'schedule> {
    expression: &'schedule Cron,
    /// The spans for whose times it needn't fire any more.
    fired: Vec<Span>,
}

/// The time after one moment, up to and including another.
struct Span {
    behind: Timestamp,
    until: Timestamp,
}

impl<'schedule> Calendar<'schedule> {
    /// The schedule doesn't fire before `starts_at` nor after `ends_at`.
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

    /// Returns the next time to fire. It is in the past if the clock leapt over
    /// it.
    pub(super) fn next(&mut self, now: &Zoned) -> Option<Timestamp> {
        for expression in &mut self.expressions {
            expression.forget_wrong_future(now.timestamp(), self.passed);
        }
        // A clock that was set back shows past times again.
        self.passed = self.passed.min(now.timestamp());
        // A start before 1970 is long over, and one beyond the range of dates
        // never comes.
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

    /// Notes that the schedule fires for all times up to this one.
    pub(super) fn fire(&mut self, until: Timestamp) {
        if self.passed < until {
            for expression in &mut self.expressions {
                expression.fire(self.passed, until);
            }
            self.passed = until;
        }
    }

    /// Skips all times up to this one.
    pub(super) fn pass(&mut self, now: Timestamp) {
        self.passed = self.passed.max(now);
    }
}

impl Expression<'_> {
    /// Returns the next time after `after` for which it hasn't fired.
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
        // Without this, the list would grow without end.
        let memory = self.memory();
        self.fired.retain(|fired| until.duration_since(fired.until) <= memory);
    }

    /// Forgets what it has fired for if that lies far ahead of the clock as it
    /// is now: the clock was wrong then.
    fn forget_wrong_future(&mut self, now: Timestamp, passed: Timestamp) {
        let memory = self.memory();
        self.fired.retain(|fired| fired.until.max(passed).duration_since(now) <= memory);
    }

    /// Returns the largest setback of the clock after which fired times still
    /// count as fired.
    fn memory(&self) -> SignedDuration {
        match self.expression.follows_the_clock() {
            true => SignedDuration::from_mins(1),
            false => SignedDuration::from_hours(3),
        }
    }
}
