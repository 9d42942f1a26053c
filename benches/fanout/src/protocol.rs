//! The protocol between server programs and the load generator.
//!
//! A server program is started with the number of its paths and, if it is to
//! speak TLS 1.3, a folder with [its certificate](crate::certificate). It
//! serves the paths as WebSockets at `/0`, `/1` and so on, on a free port of
//! 127.0.0.1, and exchanges lines:
//!
//! | line | where | meaning |
//! |---|---|---|
//! | `listening PORT` | standard output | clients can connect; this process is measured |
//! | `listening PORT ID` | standard output | the same; the process of this id is measured |
//! | `listening PORT ID socket.io` | standard output | the same; clients speak Socket.IO, and all get what is sent on path 0 |
//! | `listening PORT ID pode.v1` | standard output | the same; clients speak `pode.v1` |
//! | `publish BYTES MESSAGES RATE BURST` | standard input | publish; see [`Publish`] |
//! | `done PUBLISHED` | standard output | the number of published messages |
//! | `done PUBLISHED POSITION` | standard output | the same; a client that has them all comes back with this position |
//!
//! A position is the query that the client adds to its path, or the offset of
//! Socket.IO. Only a server of a single path may give one.
//!
//! When its input ends, the program ends.

use std::io;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Each message is what was published, as a JSON text.
    Plain,
    /// Packets of Socket.IO.
    SocketIo,
    /// Objects of `pode.v1`, without positions.
    PodeV1,
}

/// A request to publish: message number `i` goes to the path `i % paths`, as
/// text.
///
/// Messages become due in bursts, the first at once, at the `rate` on average.
/// Servers check the clock once in a millisecond, which is the resolution of
/// tokio's timers, and publish the messages that have become due. A server that
/// falls behind doesn't skip any, but stops at the [deadline](Self::deadline).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The size of each message, in bytes of WebSocket payload; at least
    /// [`MIN_PAYLOAD_BYTES`].
    pub payload_bytes: usize,
    /// How many messages are published, over all paths.
    pub messages: u64,
    /// Messages per second, over all paths.
    pub rate: u64,
    /// How many become due together, at least 1.
    pub burst: u64,
}

impl Publish {
    /// Returns the line of this request.
    pub fn line(&self) -> String {
        let Publish { payload_bytes, messages, rate, burst } = self;
        format!("publish {payload_bytes} {messages} {rate} {burst}\n")
    }

    /// Parses the line that [`line`](Self::line) wrote.
    ///
    /// # Errors
    ///
    /// The line is not a request, or a value is out of range.
    pub fn parse(line: &str) -> io::Result<Publish> {
        let wrong = || io::Error::other(format!("`{}` asks for nothing known", line.trim()));
        let values = line.trim().strip_prefix("publish ").ok_or_else(wrong)?;
        let values: Vec<u64> = values.split(' ').map_while(|value| value.parse().ok()).collect();
        let [payload_bytes, messages, rate, burst] = values[..] else { return Err(wrong()) };
        let payload_bytes = payload_bytes as usize;
        if payload_bytes < MIN_PAYLOAD_BYTES || rate == 0 || burst == 0 {
            return Err(wrong());
        }
        Ok(Publish { payload_bytes, messages, rate, burst })
    }

    /// Returns how long publishing takes if the server keeps up.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.messages * 1_000_000_000 / self.rate)
    }

    /// Returns how long after the start the message is due, in nanoseconds.
    pub fn due(&self, message: u64) -> u64 {
        message / self.burst * self.burst * 1_000_000_000 / self.rate
    }

    /// Returns how long after the start a server gives up, in nanoseconds: a
    /// quarter of a second after it should have been done.
    pub fn deadline(&self) -> u64 {
        (self.duration() + Duration::from_millis(250)).as_nanos() as u64
    }

    /// Returns how many of the first `published` messages went to the path.
    pub fn on_path(published: u64, path: usize, paths: usize) -> u64 {
        (published + (paths - 1 - path) as u64) / paths as u64
    }
}

/// The smallest payload, in bytes: it has space for a [`Stamp`], between
/// quotes.
pub const MIN_PAYLOAD_BYTES: usize = STAMP_BYTES + 1;

/// How many bytes of a payload must be there to read its [`Stamp`].
pub const STAMP_BYTES: usize = 1 + SEQUENCE_DIGITS + TIME_DIGITS;

/// Enough for sixteen million messages on a path.
const SEQUENCE_DIGITS: usize = 6;

/// Enough for more than an hour.
const TIME_DIGITS: usize = 8;

/// The contents of a payload: its number, and when it was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the messages of a path from 0, for each [`Publish`] separately.
    pub sequence: u32,
    /// The lowest bits of [`monotonic_ns`] in microseconds.
    pub published_us: u32,
}

/// Makes the text of the path's next message, published now: two numbers of 6
/// and 8 hexadecimal digits, then filling.
///
/// As JSON, between two quotes, it has `payload_bytes` bytes.
pub fn text(sequence: u64, payload_bytes: usize) -> String {
    let mut text = String::with_capacity(payload_bytes);
    let published_us = microseconds(monotonic_ns());
    text.push_str(&format!("{sequence:06x}{published_us:08x}"));
    text.extend(std::iter::repeat_n('.', payload_bytes - 2 - text.len()));
    text
}

impl Stamp {
    /// Reads the first [`STAMP_BYTES`] of a payload: a quote and two numbers.
    ///
    /// `None` if the payload begins otherwise.
    pub fn parse(payload: &[u8]) -> Option<Stamp> {
        let numbers = payload.strip_prefix(b"\"")?;
        let (sequence, published_us) =
            numbers.get(..SEQUENCE_DIGITS + TIME_DIGITS)?.split_at(SEQUENCE_DIGITS);
        Some(Stamp { sequence: number(sequence)?, published_us: number(published_us)? })
    }

    /// Returns how long ago this was published, in nanoseconds.
    pub fn age_ns(self, now_ns: u64) -> u64 {
        u64::from(microseconds(now_ns).wrapping_sub(self.published_us)) * 1_000
    }
}

/// The clock's microseconds, cut to the bits of a stamp.
fn microseconds(nanoseconds: u64) -> u32 {
    (nanoseconds / 1_000) as u32
}

fn number(digits: &[u8]) -> Option<u32> {
    let mut number = 0;
    let mut wrong = 0;
    for digit in digits {
        let value = HEX[usize::from(*digit)];
        wrong |= value;
        number = number << 4 | u32::from(value);
    }
    (wrong < 16).then_some(number)
}

/// The value of each hexadecimal digit; more than 15 for everything else.
const HEX: [u8; 256] = {
    let mut values = [0x80; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Reads the clock that server and generator share, in nanoseconds.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_it_was_written() {
        let publish = Publish { payload_bytes: 128, messages: 100, rate: 50, burst: 1 };
        assert_eq!(Publish::parse(&publish.line()).ok(), Some(publish));
        for line in ["", "publish", "publish 1 1 1 1", "publish 128 1 0 1", "publish 128 1 1"] {
            assert!(Publish::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn messages_become_due_in_bursts() {
        let publish = Publish { payload_bytes: 128, messages: 6, rate: 1_000, burst: 3 };
        let due: Vec<u64> = (0..6).map(|message| publish.due(message) / 1_000_000).collect();
        assert_eq!(due, [0, 0, 0, 3, 3, 3]);
    }

    #[test]
    fn messages_go_round_the_paths() {
        let on_paths: Vec<u64> = (0..3).map(|path| Publish::on_path(7, path, 3)).collect();
        assert_eq!(on_paths, [3, 2, 2]);
    }

    #[test]
    fn a_stamp_reads_as_it_was_written() {
        let json = format!("\"{}\"", text(0xbeef, 128));
        assert_eq!(json.len(), 128);
        let stamp = Stamp::parse(json.as_bytes()).unwrap();
        assert_eq!(stamp.sequence, 0xbeef);
        assert!(stamp.age_ns(monotonic_ns()) < 60_000_000_000);
        assert_eq!(Stamp::parse(&json.as_bytes()[1..]), None);
        assert_eq!(Stamp::parse(json.replace('b', "x").as_bytes()), None);
        assert_eq!(Stamp::parse(b"\"00"), None);
        assert_eq!(text(0xbeef, MIN_PAYLOAD_BYTES).len() + 2, MIN_PAYLOAD_BYTES);
    }

    #[test]
    fn ages_outlast_the_end_of_the_digits() {
        let stamp = Stamp { sequence: 0, published_us: u32::MAX };
        assert_eq!(stamp.age_ns((u64::from(u32::MAX) + 2) * 1_000), 2_000);
    }
}
