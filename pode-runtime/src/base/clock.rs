//! What time it is.
//!
//! There are two clocks. The monotonic one is tokio's, which never jumps; it
//! paces timers and every wait, and tests pause it. The other is the clock on
//! the wall, by which schedules fire. People and time servers set it, so it is
//! an input, which a test may set, too.

use std::path::Path;

use jiff::Zoned;
use jiff::tz::TimeZone;

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

/// Tells the log if the local time zone can't be read.
///
/// Nothing is told where none was chosen, which means UTC: an empty `TZ`, or a
/// Unix machine without `/etc/localtime`, or with the link to UTC that images
/// of containers have, and no database.
pub(crate) fn tell_of_an_unreadable_zone() {
    if TimeZone::try_system().is_ok() {
        return;
    }
    let file = Path::new("/etc/localtime");
    let zone = match (std::env::var_os("TZ"), file.read_link()) {
        // In Debug form, so that it writes no lines of its own.
        (Some(zone), _) => format!("TZ={zone:?}"),
        (None, Ok(target)) if target.ends_with("UTC") => return,
        (None, Err(_)) if cfg!(unix) && !file.exists() => return,
        (None, _) if cfg!(unix) => file.display().to_string(),
        (None, _) => "of the system".to_owned(),
    };
    tracing::warn!(
        "the time zone {zone} can't be read, so schedules go by UTC; set TZ to a name such as \
         `Europe/Berlin`, which needs the time zone database (Debian's `tzdata`), or to a rule \
         such as `CET-1CEST,M3.5.0,M10.5.0/3`"
    );
}
