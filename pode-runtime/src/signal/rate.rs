//! How many messages per second one client may send.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pode_core::ClientId;

use crate::base::token_bucket::TokenBucket;

/// How many messages may come in each second. Those of one or more may come at once.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: NonZero<u32>,
    bucket: Mutex<TokenBucket>,
}

impl Rate {
    pub(super) fn new(per_second: NonZero<u32>) -> Rate {
        Rate { per_second, bucket: Mutex::new(TokenBucket::new()) }
    }

    /// Takes one message out of the bucket, unless it is empty; it holds those of so many
    /// seconds.
    pub(super) fn take(&self, seconds: u32) -> bool {
        let per_second = self.per_second.get();
        let capacity = per_second.saturating_mul(seconds);
        lock(&self.bucket).take(capacity, Duration::from_secs(1) / per_second)
    }
}

/// The rates of clients by their id, over all their connections.
#[derive(Debug, Default)]
pub(crate) struct KnownRates {
    rates: Mutex<Rates>,
}

#[derive(Debug, Default)]
struct Rates {
    by_id: HashMap<ClientId, Arc<Rate>>,
    /// How many there are when those that say nothing are forgotten.
    full_at: usize,
}

impl KnownRates {
    /// Finds the rate of a client, or makes it.
    pub(super) fn find(&self, id: &ClientId, messages_per_second: NonZero<u32>) -> Arc<Rate> {
        let mut rates = lock(&self.rates);
        if rates.by_id.len() >= rates.full_at {
            // In use by a connection, or not full: others are as good as new.
            rates
                .by_id
                .retain(|_, rate| Arc::strong_count(rate) > 1 || !lock(&rate.bucket).is_full());
            rates.by_id.shrink_to_fit();
            rates.full_at = 2 * rates.by_id.len() + 16;
        }
        let new = || Arc::new(Rate::new(messages_per_second));
        Arc::clone(rates.by_id.entry(id.clone()).or_insert_with(new))
    }
}

/// Nothing panics while one of these is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn rate(messages_per_second: u32) -> Rate {
        Rate::new(NonZero::new(messages_per_second).unwrap())
    }

    fn takes(rate: &Rate) -> usize {
        std::iter::repeat_with(|| rate.take(1)).take_while(|is_there| *is_there).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_holds_as_many_as_are_declared() {
        for count in [1, 2, 3, 7, 1000] {
            let rate = rate(count);
            assert_eq!(takes(&rate), count as usize);
            advance(Duration::from_secs(1)).await;
            assert_eq!(takes(&rate), count as usize);
            advance(Duration::from_secs(3600)).await;
            assert_eq!(takes(&rate), count as usize, "silence saves nothing up");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn messages_come_back_one_by_one() {
        let rate = rate(4);
        assert_eq!(takes(&rate), 4);
        advance(Duration::from_millis(249)).await;
        assert_eq!(takes(&rate), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(takes(&rate), 1);
        advance(Duration::from_millis(500)).await;
        assert_eq!(takes(&rate), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn those_of_two_seconds_may_come_at_once_and_no_more_in_the_long_run() {
        let rate = rate(4);
        assert_eq!((0..20).filter(|_| rate.take(2)).count(), 8);
        advance(Duration::from_secs(1)).await;
        assert_eq!((0..20).filter(|_| rate.take(2)).count(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_costs_nothing() {
        let rate = rate(2);
        assert_eq!(takes(&rate), 2);
        for _ in 0..100 {
            assert!(!rate.take(1));
        }
        advance(Duration::from_millis(500)).await;
        assert!(rate.take(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_client_has_one_rate_and_is_forgotten_when_it_is_full() {
        let (rates, per_second) = (KnownRates::default(), NonZero::new(2).unwrap());
        let id = |number: usize| format!("client-{number}").parse().unwrap();
        assert!(rates.find(&id(0), per_second).take(1));
        assert!(rates.find(&id(0), per_second).take(1));
        assert!(!rates.find(&id(0), per_second).take(1));
        for number in 1..1000 {
            rates.find(&id(number), per_second);
        }
        assert!(!rates.find(&id(0), per_second).take(1));
        assert!(lock(&rates.rates).by_id.len() < 50);
    }
}
