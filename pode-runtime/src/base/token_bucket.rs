//! A token bucket: how often something may happen.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that is full at first.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    /// When it is full again; `None` if nothing was taken yet.
    full_at: Option<Instant>,
}

impl TokenBucket {
    pub(crate) const fn new() -> TokenBucket {
        TokenBucket { full_at: None }
    }

    /// Takes one of `capacity` tokens, unless none is left; one comes back in each
    /// `interval`.
    pub(crate) fn take(&mut self, capacity: u32, interval: Duration) -> bool {
        let now = Instant::now();
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + interval;
        let is_there = full_at - now <= interval * capacity;
        if is_there {
            self.full_at = Some(full_at);
        }
        is_there
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= Instant::now())
    }
}
