//! The wire protocol of two processes: frames with a JSON header and an
//! optional payload.
//!
//! A frame consists of the length of its header and the length of its payload,
//! four bytes each in big-endian order, then the header and the payload. Before
//! the first frame each side sends a line that names the protocol and its
//! version, so that processes with different versions notice before anything
//! else.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::app::sequences::{Left, SequenceId};
use crate::app::tickets::TicketKey;
use crate::push::wire::{WireEnvelope, WirePresence};

/// The line that each side sends first. The version counts changes of frames,
/// and of how the hub spreads the paths of a family.
const LINE: &[u8; 17] = b"pode hand-over 6\n";

/// The start of that line, in any version.
const LINE_START: &[u8] = b"pode hand-over ";

/// How long the other side may take to write or to read data that is due.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often a process that leads shows that it is there.
pub(super) const BEAT: Duration = Duration::from_millis(500);

/// After so many beats of silence it counts as gone.
const MOST_SILENT_BEATS: u32 = 20;

/// The maximum size of a header, in bytes.
const MAX_HEADER_BYTES: u32 = 1 << 20;

/// The maximum size of a payload, in bytes.
const MAX_PAYLOAD_BYTES: u32 = 1 << 30;

/// The header of a frame.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Frame {
    /// Older: not ready yet; another frame follows within about a second.
    Wait,
    /// Older: it refuses to hand over.
    Refuse { reason: String },
    /// Older: these sockets follow, each with one byte; after them the listener
    /// of the hand-over socket.
    Sockets { process: u32, sockets: Vec<Socket> },
    /// Newer: it is ready to take over, and has signals of these paths.
    Ready { process: u32, signals: Vec<String> },
    /// Older: these channels are shared. From now on frames refer to them by
    /// their position in the list.
    /// The key is that of the tickets that clients of both have.
    Shared { channels: Vec<Shared>, ticket_key: TicketKey },
    /// Older: from this number on, the messages of this path are kept.
    Gap { channel: usize, path: Option<String>, number: u64 },
    /// Older: a message that it numbered earlier, so many seconds ago; these come in
    /// order.
    Kept { channel: usize, number: u64, age: u32, what: WireEnvelope },
    /// Older: a client is present.
    Present { channel: usize, change: WirePresence },
    /// Older: the newer process is to lead.
    Go,
    /// Newer: it leads.
    Taken,
    /// Older: confirmed.
    Yours,
    /// Older: to be numbered, and to come [`Back`](Self::Back).
    Sent { channel: usize, what: WireEnvelope },
    /// Newer: what the older process sent next, if not yet back, has this number; or
    /// that of the next message, if it is none.
    Back { channel: usize, number: u64 },
    /// Newer: numbered in the same way, and its own.
    Published { channel: usize, number: u64, what: WireEnvelope },
    /// Newer: what comes before this number isn't kept, with so many that would be
    /// [`Back`](Self::Back).
    Lost { channel: usize, until: u64, back: usize },
    /// Newer: a client of this sequence has come. What the older process has of it comes
    /// back as [`Left`](Self::Left), once none of its messages is being handled; if that
    /// takes long, before, and then once more.
    Claim { sequence: SequenceId },
    /// Older: the sequence of a client that has left, or was claimed.
    Left(Left),
    /// Older: it doesn't have this sequence.
    Missed { sequence: SequenceId },
    /// Either: it is there. Comes every [`BEAT`], at least.
    Alive,
    /// Older: it has no more clients.
    Bye,
}

/// A listening socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Socket {
    pub(super) declared: std::net::SocketAddr,
    pub(super) address: std::net::SocketAddr,
}

/// A channel, and its numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shared {
    pub(super) path: String,
    pub(super) index: usize,
    pub(super) epoch: u64,
    /// From here on, messages are kept of paths of which nothing else is said.
    pub(super) number: u64,
    /// The number of the next message.
    pub(super) next: u64,
    /// Earlier epochs, with the numbers at which the next ones began.
    pub(super) earlier: Vec<(u64, u64)>,
}

/// Why the exchange of version lines failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("speaks another version of the hand-over, {0:?}")]
    Version(String),
    #[error("is not a pode server")]
    Stranger,
    #[error("doesn't answer")]
    Silent(#[source] io::Error),
}

/// Sends the line.
pub(super) async fn say_line(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    patiently(stream.write_all(LINE)).await
}

/// Waits for the line of the other side.
pub(super) async fn hear_line(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), LineError> {
    let mut line = [0; LINE.len()];
    let mut heard = 0;
    while heard < line.len() {
        match patiently(stream.read(&mut line[heard..])).await {
            Ok(0) if heard == 0 => {
                return Err(LineError::Silent(io::ErrorKind::UnexpectedEof.into()));
            }
            Ok(0) => return Err(LineError::Stranger),
            Ok(read) => heard += read,
            Err(error) => return Err(LineError::Silent(error)),
        }
        // A peer with another protocol may send nothing more.
        let compared = heard.min(LINE_START.len());
        if line[..compared] != LINE_START[..compared] {
            return Err(LineError::Stranger);
        }
    }
    if line == *LINE {
        return Ok(());
    }
    let version = String::from_utf8_lossy(&line[LINE_START.len()..]).trim_end().to_owned();
    Err(LineError::Version(version))
}

/// Writes a frame that the other side is to take soon.
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &Frame,
    payload: &[u8],
) -> io::Result<()> {
    patiently(write_whenever(stream, frame, payload)).await
}

/// Writes a frame, however long that takes: the other side may be paused.
pub(super) async fn write_whenever(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &Frame,
    payload: &[u8],
) -> io::Result<()> {
    let header = serde_json::to_vec(frame)?;
    let length = |bytes: &[u8], most: u32| {
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= most);
        length.ok_or_else(|| io::Error::other("a frame is too long for a hand-over"))
    };
    let header_bytes = length(&header, MAX_HEADER_BYTES)?.to_be_bytes();
    let payload_bytes = length(payload, MAX_PAYLOAD_BYTES)?.to_be_bytes();
    stream.write_all(&[&header_bytes[..], &payload_bytes[..], &header[..]].concat()).await?;
    stream.write_all(payload).await
}

/// Reads a frame, however long it takes to come.
///
/// Not cancel safe: what was read of a frame is lost.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Frame, Vec<u8>)> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidData, "a frame is too long");
    let header_bytes = stream.read_u32().await?;
    if header_bytes > MAX_HEADER_BYTES {
        return Err(too_long());
    }
    patiently(async {
        let payload_bytes = stream.read_u32().await?;
        if payload_bytes > MAX_PAYLOAD_BYTES {
            return Err(too_long());
        }
        let header = take(stream, header_bytes).await?;
        let payload = take(stream, payload_bytes).await?;
        Ok((serde_json::from_slice(&header)?, payload))
    })
    .await
}

/// Reads a frame that is due.
pub(super) async fn read_soon(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(Frame, Vec<u8>)> {
    patiently(read(stream)).await
}

/// Reads a frame of a process that leads.
///
/// Counts beats rather than time: a process that was stopped itself, such as by
/// a snapshot of its machine, has not listened all that time.
pub(super) async fn read_while_alive(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(Frame, Vec<u8>)> {
    let mut reading = std::pin::pin!(read(stream));
    for _ in 0..MOST_SILENT_BEATS {
        if let Ok(read) = timeout(BEAT, &mut reading).await {
            return read;
        }
    }
    let silence = BEAT * MOST_SILENT_BEATS;
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("no sign of life for {silence:?}")))
}

/// Reads this many bytes; allocates memory only as they arrive.
async fn take(stream: &mut (impl AsyncRead + Unpin), bytes: u32) -> io::Result<Vec<u8>> {
    let mut taken = Vec::new();
    stream.take(bytes.into()).read_to_end(&mut taken).await?;
    if taken.len() < bytes as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(taken)
}

/// Makes the error for a frame that doesn't belong here.
pub(super) fn unexpected(frame: &Frame) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it says {frame:?} where it may not"))
}

/// Does something that is due.
pub(super) async fn patiently<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::wire::WireAudience;

    #[tokio::test]
    async fn what_is_said_is_heard() {
        let (mut one, mut other) = tokio::io::duplex(64);
        let saying = async {
            write(&mut one, &Frame::Wait, b"").await.unwrap();
            let what = WireEnvelope::Text(WireAudience::default());
            write(&mut one, &Frame::Sent { channel: 3, what }, &[7; 1000]).await.unwrap();
            drop(one);
        };
        let hearing = async {
            assert!(matches!(read(&mut other).await.unwrap(), (Frame::Wait, _)));
            let (frame, payload) = read(&mut other).await.unwrap();
            assert!(matches!(frame, Frame::Sent { channel: 3, .. }), "{frame:?}");
            assert_eq!(payload, [7; 1000]);
            let end = read(&mut other).await.unwrap_err();
            assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
        };
        tokio::join!(saying, hearing);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_in_beats_of_those_who_listen() {
        let (_one, mut other) = tokio::io::duplex(64);
        let began = tokio::time::Instant::now();
        let error = read_while_alive(&mut other).await.unwrap_err();
        assert_eq!(error.to_string(), "no sign of life for 10s");
        assert_eq!(began.elapsed(), BEAT * MOST_SILENT_BEATS);
        // A process that was stopped for an hour goes on listening.
        let listening = async {
            let mut listening = std::pin::pin!(read_while_alive(&mut other));
            assert!(timeout(BEAT / 2, &mut listening).await.is_err());
            tokio::time::advance(Duration::from_secs(3600)).await;
            timeout(BEAT, &mut listening).await.is_err()
        };
        assert!(listening.await);
    }

    #[tokio::test]
    async fn what_is_announced_is_bounded() {
        for head in [[0xff_u8; 8], [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]] {
            let error = read(&mut &head[..]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[tokio::test]
    async fn strangers_are_known_by_their_first_words() {
        let heard = |line: &'static [u8]| async move { hear_line(&mut &*line).await };
        assert!(heard(LINE).await.is_ok());
        for stranger in [&b"HTTP/1.1 400"[..], b"p", b"pode hand-over"] {
            assert!(matches!(heard(stranger).await, Err(LineError::Stranger)));
        }
        assert!(matches!(heard(b"").await, Err(LineError::Silent(_))));
        match heard(b"pode hand-over 1\n").await {
            Err(LineError::Version(version)) => assert_eq!(version, "1"),
            other => panic!("{other:?}"),
        }
    }
}
