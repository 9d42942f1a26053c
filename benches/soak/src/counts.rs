//! The counts of a run, and the report at its end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The results of all clients and their messages.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) published: Count,
    /// Publish requests that had to be repeated.
    pub(crate) published_again: Count,
    pub(crate) received: Count,
    /// Messages received twice, which a repeated request may cause.
    pub(crate) twice: Count,
    /// Messages to a group that reached another.
    pub(crate) astray: Count,
    pub(crate) said: Count,
    pub(crate) answered: Count,
    pub(crate) requests: Count,
    pub(crate) connected: Count,
    pub(crate) left: Count,
    pub(crate) resumed: Count,
    pub(crate) reset: Count,
    pub(crate) half_open: Count,
    pub(crate) silent_dropped: Count,
    pub(crate) faults_told: Count,
    pub(crate) slow_told: Count,
    pub(crate) slow_that_kept_up: Count,
    /// Clients by HTTP/2 that opened no window, and their answers that the server
    /// took back.
    pub(crate) hoarders: Count,
    pub(crate) taken_back: Count,
    /// Clients that left before their messages were handled, and how often all
    /// places of these were taken.
    pub(crate) leavers: Count,
    pub(crate) refused: Count,
    /// Forms without end that were refused.
    pub(crate) floods: Count,
    /// Requests that blocked a thread, and those that were answered meanwhile.
    pub(crate) blocked: Count,
    pub(crate) meanwhile: Count,
    pub(crate) rounds: Count,
    /// Panics that the log reported, while it was read.
    pub(crate) panics_told: Count,
    /// Panics that happened when nobody read the log any more.
    pub(crate) panics_untold: Count,
    /// Lines of the log that are missing, as the log itself says.
    pub(crate) log_missing: Count,
    /// Lost messages; these and the errors below make the run fail.
    pub(crate) lost: Count,
    wrong: Mutex<BTreeMap<String, u64>>,
    /// The codes by which clients were closed that didn't ask for it.
    told: Mutex<BTreeMap<u16, u64>>,
    /// How many clients of each path were closed since their shard panicked.
    failed: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    /// Records an error.
    pub(crate) fn wrong(&self, what: impl Into<String>) {
        *lock(&self.wrong).entry(what.into()).or_default() += 1;
    }

    /// Records that a client which kept up was closed.
    pub(crate) fn told(&self, code: u16) {
        *lock(&self.told).entry(code).or_default() += 1;
    }

    /// Records that a client of a path was closed since its shard panicked.
    pub(crate) fn failed(&self, path: &str) {
        *lock(&self.failed).entry(path.to_owned()).or_default() += 1;
    }

    /// Returns how many clients of a path were closed for that reason.
    pub(crate) fn failed_at(&self, path: &str) -> u64 {
        lock(&self.failed).get(path).copied().unwrap_or_default()
    }

    /// Records the error that a blocked thread holds up others, if that happened more
    /// often than not: a busy machine does it at times.
    pub(crate) fn judge_blocks(&self) {
        let (blocked, meanwhile) = (self.blocked.get(), self.meanwhile.get());
        if 2 * meanwhile < blocked {
            self.wrong("requests wait for a handler that blocks its thread");
        }
    }

    /// Whether there were no errors, and no message was lost or went astray.
    pub(crate) fn is_well(&self) -> bool {
        let nothing_wrong = lock(&self.wrong).is_empty();
        nothing_wrong && self.lost.get() == 0 && self.astray.get() == 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, count: u64, note: &str| {
            writeln!(f, "{:32} {:>14}  {note}", name, grouped(count))
        };
        line("published", self.published.get(), "by POST requests")?;
        line("  of these asked again", self.published_again.get(), "")?;
        line("received", self.received.get(), "by clients that keep up")?;
        line("  of these twice", self.twice.get(), "")?;
        line("said by clients", self.said.get(), "")?;
        line("  of these answered", self.answered.get(), "in their order")?;
        line("other requests", self.requests.get(), "")?;
        line("connected", self.connected.get(), "as WebSockets")?;
        line("left in order", self.left.get(), "")?;
        line("resumed after a restart", self.resumed.get(), "told by 1012")?;
        line("reset", self.reset.get(), "on purpose, at any stage")?;
        line("half-open", self.half_open.get(), "on purpose, until cut off or gone")?;
        line("silent, dropped by heartbeat", self.silent_dropped.get(), "")?;
        line("faults", self.faults_told.get(), "told by their codes")?;
        line("slow, cut off", self.slow_told.get(), "told by 1013")?;
        line("slow, but kept up", self.slow_that_kept_up.get(), "")?;
        line("opened no window by HTTP/2", self.hoarders.get(), "")?;
        line("  answers taken back", self.taken_back.get(), "after `write_timeout`")?;
        line("left before they were answered", self.leavers.get(), "")?;
        line("  found no place", self.refused.get(), "told by 503, and came again")?;
        line("forms without end", self.floods.get(), "refused by 413")?;
        line("threads blocked", self.blocked.get(), "by a handler")?;
        line("  others answered meanwhile", self.meanwhile.get(), "")?;
        for (code, count) in lock(&self.told).iter() {
            line(&format!("others told to go by {code}"), *count, "")?;
        }
        for (path, count) in lock(&self.failed).iter() {
            line(&format!("clients of {path}"), *count, "told by 1011 that their shard panicked")?;
        }
        if self.rounds.get() > 0 {
            line("rounds of faults", self.rounds.get(), "")?;
            line("  panics", self.panics_told.get(), "told once by the log")?;
            line("  more panics", self.panics_untold.get(), "when nobody read it any more")?;
            line("  lines of the log missing", self.log_missing.get(), "as it says itself")?;
        }
        line("astray", self.astray.get(), "reached another group")?;
        line("lost", self.lost.get(), "at clients that keep up")?;
        for (what, count) in lock(&self.wrong).iter() {
            line("WRONG", *count, what)?;
        }
        Ok(())
    }
}

fn lock<T>(counted: &Mutex<T>) -> MutexGuard<'_, T> {
    counted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a number with commas.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(
            [0, 12, 999, 1_000, 1_234_567].map(grouped),
            ["0", "12", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn whatever_must_not_be_is_told() {
        let counts = Counts::default();
        assert!(counts.is_well());
        counts.wrong("a client was dropped without a word");
        assert!(!counts.is_well());
        assert!(
            counts
                .to_string()
                .contains("WRONG                                         1  a client was")
        );
        let counts = Counts::default();
        counts.lost.add(3);
        assert!(!counts.is_well());
    }
}
