//! A count of what is there, and the wait for it to be gone.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts, and wakes who waits for zero.
#[derive(Debug, Default)]
pub(crate) struct Count {
    value: AtomicUsize,
    zero: Notify,
}

impl Count {
    /// Counts one more, and returns how many there were before.
    pub(crate) fn add(&self) -> usize {
        self.value.fetch_add(1, Ordering::AcqRel)
    }

    /// Counts one less.
    pub(crate) fn remove(&self) {
        if self.value.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.zero.notify_waiters();
        }
    }

    pub(crate) fn get(&self) -> usize {
        self.value.load(Ordering::Acquire)
    }

    /// Waits until the count is zero. Cancel safe.
    pub(crate) async fn zero(&self) {
        loop {
            // Made before the count is read, so that no wake-up is missed.
            let zero = self.zero.notified();
            if self.get() == 0 {
                return;
            }
            zero.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_zero_is_woken_by_the_last() {
        let count = Arc::new(Count::default());
        count.zero().await;
        assert_eq!((count.add(), count.add(), count.get()), (0, 1, 2));
        let waiting = tokio::spawn({
            let count = Arc::clone(&count);
            async move { count.zero().await }
        });
        tokio::task::yield_now().await;
        count.remove();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        count.remove();
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("woken").unwrap();
    }
}
