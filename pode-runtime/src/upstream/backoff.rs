//! How long to wait before the next attempt to connect.
//!
//! Each failed attempt doubles the longest wait, up to a bound, and the actual
//! wait is a random time between half of it and all of it ("equal jitter"):
//! servers that lost the same feed at the same moment don't all come back at the
//! same moment, and none comes back at once.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    /// How many attempts have failed since a connection lasted.
    failed: u32,
    /// When the current or the last connection was made.
    connected: Option<Instant>,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { first, longest, failed: 0, connected: None }
    }

    /// Notes that a connection was made.
    pub(super) fn connected(&mut self) {
        self.connected = Some(Instant::now());
    }

    /// Returns how long to wait after a connection ended or an attempt failed.
    /// `chance` is from 0 up to 1.
    ///
    /// A connection counts as a success if it has lasted as long as the longest
    /// wait: a server that accepts and drops connections counts as failing.
    pub(super) fn next(&mut self, chance: f64) -> Duration {
        if self.connected.take().is_some_and(|connected| connected.elapsed() >= self.longest) {
            self.failed = 0;
        }
        let factor = 1_u32.checked_shl(self.failed).unwrap_or(u32::MAX);
        self.failed = self.failed.saturating_add(1);
        self.first.saturating_mul(factor).min(self.longest).mul_f64((1.0 + chance) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::chance;

    const SECOND: Duration = Duration::from_secs(1);

    #[track_caller]
    fn check(backoff: &mut Backoff, expected: &[u64]) {
        let seconds: Vec<_> = expected.iter().map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(seconds, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_the_longest() {
        check(&mut Backoff::new(SECOND, 30 * SECOND), &[1, 2, 4, 8, 16, 30, 30]);
        check(&mut Backoff::new(60 * SECOND, 30 * SECOND), &[30, 30]);
        let mut endless = Backoff::new(SECOND, Duration::MAX);
        for _ in 0..100 {
            assert!(endless.next(chance()) < Duration::MAX);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_held_begins_anew_and_one_that_broke_does_not() {
        let mut backoff = Backoff::new(SECOND, 30 * SECOND);
        check(&mut backoff, &[1, 2, 4]);
        backoff.connected();
        tokio::time::advance(29 * SECOND).await;
        check(&mut backoff, &[8]);
        backoff.connected();
        tokio::time::advance(30 * SECOND).await;
        check(&mut backoff, &[1, 2]);
        // A connection counts once.
        tokio::time::advance(60 * SECOND).await;
        check(&mut backoff, &[4]);
    }

    #[tokio::test(start_paused = true)]
    async fn chance_takes_up_to_half_of_the_wait() {
        let mut backoff = Backoff::new(4 * SECOND, 30 * SECOND);
        assert_eq!(backoff.next(0.0), 2 * SECOND);
        assert_eq!(backoff.next(0.5), 6 * SECOND);
    }
}
