//! The minimum throughput of reading or writing, and the time for which a
//! client may fall behind it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Returns the time that a client has for so many bytes: none if there is no
/// minimum throughput.
pub(crate) fn time_for(bytes: usize, bytes_per_second: usize) -> Duration {
    let milliseconds = (bytes as u64 * 1000).checked_div(bytes_per_second as u64);
    Duration::from_millis(milliseconds.unwrap_or(0))
}

/// Counts the time spent waiting for a client.
///
/// The client has an allowance of time; each byte brings some of it back, up to
/// the allowance. So a client that keeps pace may take as long as it needs.
#[derive(Debug)]
pub(crate) struct MinThroughput {
    allowed: Duration,
    bytes_per_second: usize,
    left: Duration,
    /// Since when the client is waited for.
    waiting: Option<Instant>,
    /// Made at the first wait for the client; most clients are never waited
    /// for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl MinThroughput {
    pub(crate) fn new(allowed: Duration, bytes_per_second: usize) -> MinThroughput {
        MinThroughput { allowed, bytes_per_second, left: allowed, waiting: None, timer: None }
    }

    /// Returns whether the client is waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Notes that bytes were read or written. Zero bytes are no progress, but
    /// also end a wait.
    pub(crate) fn progress(&mut self, bytes: usize) {
        if let Some(since) = self.waiting.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        if self.left == self.allowed {
            return;
        }
        let gained = time_for(bytes, self.bytes_per_second);
        self.left = (self.left + gained).min(self.allowed);
    }

    /// Is ready when the client has used up its time; until then, wakes the
    /// task when it has.
    pub(crate) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let by = match self.waiting {
            Some(since) => since + self.left,
            None => {
                self.waiting = Some(now);
                now + self.left
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(by)));
        if timer.deadline() != by {
            timer.as_mut().reset(by);
        }
        timer.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{sleep, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Waits for so long; returns whether the time was used up before.
    async fn wait(pace: &mut MinThroughput, seconds: u32) -> bool {
        timeout(SECOND * seconds, poll_fn(|context| pace.poll_late(context))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_pace_has_all_the_time_it_needs() {
        let mut pace = MinThroughput::new(10 * SECOND, 100);
        for _ in 0..100 {
            assert!(!wait(&mut pace, 9).await);
            pace.progress(900);
            // The client isn't waited for here.
            sleep(60 * SECOND).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slower_has_a_share_of_it() {
        let mut pace = MinThroughput::new(10 * SECOND, 100);
        let started = Instant::now();
        while !wait(&mut pace, 1).await {
            pace.progress(50);
        }
        assert!((19..=21).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gained_is_no_more_than_is_allowed() {
        let mut pace = MinThroughput::new(10 * SECOND, 100);
        assert!(!wait(&mut pace, 1).await);
        pace.progress(1 << 30);
        let started = Instant::now();
        assert!(wait(&mut pace, 3600).await);
        assert_eq!(started.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_pace_it_is_the_time_for_everything() {
        let mut pace = MinThroughput::new(10 * SECOND, 0);
        let started = Instant::now();
        while !wait(&mut pace, 1).await {
            pace.progress(1 << 30);
        }
        assert_eq!(started.elapsed().as_secs(), 10);
    }
}
