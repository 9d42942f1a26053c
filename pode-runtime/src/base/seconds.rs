//! The age of messages, in seconds.

use std::sync::OnceLock;

use tokio::time::Instant;

/// Returns the seconds since some moment before the process began, by the monotonic
/// clock.
pub(crate) fn seconds() -> u32 {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    // What another process has sent is older than this one.
    const BEFORE: u32 = 1 << 30;
    let begun = BEGINNING.get_or_init(Instant::now);
    BEFORE + Instant::now().saturating_duration_since(*begun).as_secs() as u32
}
