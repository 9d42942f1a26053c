//! How many messages per second one client may send.

use std::num::NonZero;
use std::time::Duration;

use tokio::time::Instant;

/// A token bucket that holds the messages of one second, and is full at first.
#[derive(Debug)]
pub(super) struct Rate {
    /// How long one message takes to come back into the bucket.
    interval: Duration,
    /// When the bucket is full again.
    full_at: Instant,
}

impl Rate {
    pub(super) fn new(messages_per_second: NonZero<u32>) -> Rate {
        let interval = Duration::from_secs(1) / messages_per_second.get();
        Rate { interval, full_at: Instant::now() }
    }

    /// Takes one message out of the bucket, unless it is empty.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        let full_at = self.full_at.max(now) + self.interval;
        let is_there = full_at - now <= Duration::from_secs(1);
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn rate(messages_per_second: u32) -> Rate {
        Rate::new(NonZero::new(messages_per_second).unwrap())
    }

    fn takes(rate: &mut Rate) -> usize {
        std::iter::repeat_with(|| rate.take()).take_while(|is_there| *is_there).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_holds_as_many_as_are_declared() {
        for count in [1, 2, 3, 7, 1000] {
            let mut rate = rate(count);
            assert_eq!(takes(&mut rate), count as usize);
            advance(Duration::from_secs(1)).await;
            assert_eq!(takes(&mut rate), count as usize);
            advance(Duration::from_secs(3600)).await;
            assert_eq!(takes(&mut rate), count as usize, "silence saves nothing up");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn messages_come_back_one_by_one() {
        let mut rate = rate(4);
        assert_eq!(takes(&mut rate), 4);
        advance(Duration::from_millis(249)).await;
        assert_eq!(takes(&mut rate), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(takes(&mut rate), 1);
        advance(Duration::from_millis(500)).await;
        assert_eq!(takes(&mut rate), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_costs_nothing() {
        let mut rate = rate(2);
        assert_eq!(takes(&mut rate), 2);
        for _ in 0..100 {
            assert!(!rate.take());
        }
        advance(Duration::from_millis(500)).await;
        assert!(rate.take());
    }
}
