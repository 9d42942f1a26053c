//! Texts that say when they were made.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The size of a message, in bytes of its JSON.
pub(crate) const BYTES: usize = 128;

const DIGITS: usize = 16;

/// Makes a text that is made now: a number of 16 hexadecimal digits, then filling, so that
/// its JSON has so many bytes.
pub(crate) fn text(bytes: usize) -> String {
    let mut text = format!("{:016x}", now_ns());
    text.extend(std::iter::repeat_n('.', bytes - 2 - DIGITS));
    text
}

/// Returns how long ago a text was made, by its JSON; `None` if it says nothing of that.
pub(crate) fn age(json: &[u8]) -> Option<Duration> {
    let now = now_ns();
    let digits = std::str::from_utf8(json.get(1..1 + DIGITS)?).ok()?;
    Some(Duration::from_nanos(now.saturating_sub(u64::from_str_radix(digits, 16).ok()?)))
}

/// Reads the clock that all processes share.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
