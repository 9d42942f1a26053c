//! Trying again, for ever: what fails is logged once a minute, and tried again after a
//! random while that grows.

use std::time::Duration;

use tokio::time::sleep;

use super::carrier::CarrierError;
use crate::base::one_line::OneLine;
use crate::base::random::chance;
use crate::base::trouble::Trouble;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

pub(super) struct Retry {
    what: &'static str,
    longest: Duration,
    trouble: Trouble,
}

impl Retry {
    pub(super) fn new(what: &'static str) -> Retry {
        Retry { what, longest: FIRST, trouble: Trouble::default() }
    }

    /// Notes that it failed, and waits until it is to be tried again.
    pub(super) async fn failed(&mut self, error: &CarrierError) {
        if self.trouble.begins() {
            tracing::error!("{} fails, and is tried again: {}", self.what, OneLine(&error.reason));
        }
        sleep(self.longest.mul_f64(chance())).await;
        self.longest = (self.longest * 2).min(LONGEST);
    }

    pub(super) fn succeeded(&mut self) {
        self.longest = FIRST;
        if self.trouble.ends() {
            tracing::info!("{} works again", self.what);
        }
    }
}
