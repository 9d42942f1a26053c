//! Trying again, for ever: what fails is logged once a minute, and tried again after a
//! random while that grows.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::carrier::CarrierError;
use crate::base::one_line::OneLine;
use crate::base::random::chance;
use crate::base::trouble::Trouble;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// How long another reason isn't logged.
const REST: Duration = Duration::from_secs(60);

pub(super) struct Retry {
    what: &'static str,
    longest: Duration,
    trouble: Trouble,
    /// The reason that was logged last, and when.
    told: Option<(String, Instant)>,
}

impl Retry {
    pub(super) fn new(what: &'static str) -> Retry {
        Retry { what, longest: FIRST, trouble: Trouble::default(), told: None }
    }

    /// Notes that it failed, and waits until it is to be tried again.
    pub(super) async fn failed(&mut self, error: &CarrierError) {
        if self.is_news(&error.reason) {
            tracing::error!("{} fails, and is tried again: {}", self.what, OneLine(&error.reason));
        }
        sleep(self.longest.mul_f64(chance())).await;
        self.longest = (self.longest * 2).min(LONGEST);
    }

    /// Whether to log why it failed: the first reason is often that a connection was cut, and
    /// the one that lasts another.
    fn is_news(&mut self, reason: &str) -> bool {
        let is_other = |(told, at): &(String, Instant)| told != reason && at.elapsed() >= REST;
        let is_news = self.trouble.begins() || self.told.as_ref().is_some_and(is_other);
        if is_news {
            self.told = Some((reason.to_owned(), Instant::now()));
        }
        is_news
    }

    pub(super) fn succeeded(&mut self) {
        self.longest = FIRST;
        if self.trouble.ends() {
            tracing::info!("{} works again", self.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_told_again_when_the_reason_is_another() {
        let mut retry = Retry::new("sending");
        assert!(retry.is_news("the connection was cut"));
        for _ in 0..59 {
            assert!(!retry.is_news("the password is wrong"));
            advance(Duration::from_secs(1)).await;
        }
        assert!(!retry.is_news("the connection was cut"));
        advance(Duration::from_secs(1)).await;
        assert!(!retry.is_news("the connection was cut"));
        assert!(retry.is_news("the password is wrong"));
        advance(Duration::from_secs(3_600)).await;
        assert!(!retry.is_news("the password is wrong"));
        retry.succeeded();
        assert!(retry.is_news("the password is wrong"));
    }
}
