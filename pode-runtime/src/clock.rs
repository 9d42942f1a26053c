//! What time it is.
//!
//! There are two clocks. The monotonic one is tokio's, which never jumps; it
//! paces timers and every wait, and tests pause it. The other is the clock on
//! the wall, by which schedules fire. People and time servers set it, so it is
//! an input, which a test may set, too.

use jiff::Zoned;

/// A clock on the wall, and the time zone it shows.
pub(crate) trait Clock: Send + Sync + 'static {
    /// Returns the time that it shows now.
    fn wall(&self) -> Zoned;
}

/// The clock of this machine, in its local time zone; in UTC if that can't be
/// read.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> Zoned {
        Zoned::now()
    }
}
