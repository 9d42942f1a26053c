//! What the log says of trouble that may come and go often, such as a limit
//! that is reached.
//!
//! The beginning is logged once, and the end only if the beginning was. Trouble
//! that returns is logged a minute after the last time at the earliest, and
//! only if it still lasts then, so that a server that flaps doesn't fill the
//! log.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long the beginning isn't logged again.
const REST: Duration = Duration::from_secs(60);

/// What was logged of some trouble. At first there is none.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// Whether the log says that the trouble lasts.
    is_told: bool,
    /// Until when the beginning isn't logged again.
    resting_until: Option<Instant>,
}

impl Trouble {
    /// Notes that the trouble is there, and returns whether to log it now. A
    /// trouble that lasts is noted again and again, and logged once the time
    /// since the last line allows it.
    pub(crate) fn begins(&mut self) -> bool {
        let now = Instant::now();
        if self.is_told || self.resting_until.is_some_and(|until| now < until) {
            return false;
        }
        self.is_told = true;
        self.resting_until = Some(now + REST);
        true
    }

    /// Notes that the trouble is over, and returns whether to log that.
    pub(crate) fn ends(&mut self) -> bool {
        std::mem::take(&mut self.is_told)
    }

    /// Waits until the trouble has to be noted again, if it still lasts then.
    pub(crate) fn due(&self) -> impl Future<Output = ()> + use<> {
        let due = self.resting_until.filter(|_| !self.is_told);
        async move {
            match due {
                Some(due) => sleep_until(due).await,
                None => pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn trouble_that_flaps_is_told_once_a_minute() {
        let mut trouble = Trouble::default();
        let mut told = Vec::new();
        for second in 0..150 {
            if trouble.begins() {
                told.push(second);
            }
            assert!(!trouble.begins());
            // Only an end whose beginning was logged.
            assert_eq!(trouble.ends(), told.last() == Some(&second));
            assert!(!trouble.ends());
            advance(SECOND).await;
        }
        assert_eq!(told, [0, 60, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_that_stays_is_told_when_its_time_has_come() {
        let mut trouble = Trouble::default();
        assert!(trouble.begins());
        // While the log says that the trouble lasts, nothing is due.
        timeout(3600 * SECOND, trouble.due()).await.unwrap_err();
        assert!(trouble.ends());
        let started = Instant::now();
        assert!(trouble.begins());
        assert!(trouble.ends());
        advance(SECOND).await;
        assert!(!trouble.begins());
        trouble.due().await;
        assert_eq!(started.elapsed(), REST);
        assert!(trouble.begins());
    }
}
