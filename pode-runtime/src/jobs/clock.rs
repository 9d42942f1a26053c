//! The clocks that timers and schedules go by: those of the machine, or those
//! of a test.

#[cfg(feature = "schedule")]
use std::sync::Arc;
#[cfg(feature = "schedule")]
use std::time::Duration;

#[cfg(feature = "schedule")]
use jiff::Zoned;
use tokio::time::{Instant, sleep_until};

#[cfg(feature = "schedule")]
use crate::base::clock::{Clock, SystemClock};

/// How long it may take to notice that the wall clock was set.
#[cfg(feature = "schedule")]
const LOOK_AT_THE_CLOCK: Duration = Duration::from_secs(10);

/// A pair of clocks, by default tokio's and one to be named. Each job has a
/// clone of its own as long as it runs.
pub(crate) trait JobClock: Clone + Send + Sync + 'static {
    /// Returns the time that timers go by, which never jumps.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Waits until that time. Cancel safe.
    fn sleep_until(&self, moment: Instant) -> impl Future<Output = ()> + Send {
        sleep_until(moment)
    }

    /// Returns the time that schedules go by.
    #[cfg(feature = "schedule")]
    fn wall(&self) -> Zoned;

    /// Waits for this long, but no longer than until the wall clock may have
    /// been set. Cancel safe.
    #[cfg(feature = "schedule")]
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time.min(LOOK_AT_THE_CLOCK))
    }
}

/// The clocks of this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct MachineClock {
    #[cfg(feature = "schedule")]
    wall: Arc<SystemClock>,
}

impl JobClock for MachineClock {
    #[cfg(feature = "schedule")]
    fn wall(&self) -> Zoned {
        self.wall.wall()
    }
}
