//! What time it is.
//!
//! There are two clocks. The monotonic one is tokio's, which never jumps; it
//! paces timers and every wait, and tests pause it. The other is the clock on
//! the wall, by which schedules fire. People and time servers set it, so it is
//! an input, which a test may set, too.

use chrono::{DateTime, Local, TimeZone};

/// A clock on the wall, and the time zone it shows.
pub(crate) trait Clock: Send + Sync + 'static {
    type Zone: TimeZone<Offset: Send + Sync> + Send + Sync;

    /// Returns the time that it shows now.
    fn wall(&self) -> DateTime<Self::Zone>;
}

/// The clock of this machine, in its local time zone.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    type Zone = Local;

    fn wall(&self) -> DateTime<Local> {
        Local::now()
    }
}
