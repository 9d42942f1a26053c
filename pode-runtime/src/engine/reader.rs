//! Reads what a client sends.
//!
//! Signals are listen-only: pings are answered, a close frame ends the
//! conversation, and so does anything else. The answers are written by the
//! path's delivery, which owns the write side.

use bytes::Bytes;
use pode_core::frame::Opcode;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{mpsc, oneshot};

use super::delivery::{ClientId, Command};
use super::frame::{self, Close};

/// Enough for the longest control frame; of other frames only the header is
/// looked at. Small, because most clients are silent and each has one.
const BUFFER_BYTES: usize = 256;

/// Reads until the client ends the connection or the task is aborted.
///
/// Behind a client's own close frame nothing comes. When the server ends the
/// conversation for a fault, the rest is read and thrown away: bytes that
/// nobody reads would make the system reset the connection, and the close
/// frame on its way to the client would be lost. The delivery sees to it that
/// this doesn't last.
pub(super) async fn read(
    mut socket: impl AsyncRead + Unpin,
    id: ClientId,
    commands: mpsc::Sender<Command>,
) {
    let mut buffer = [0; BUFFER_BYTES];
    if let Some(End { answer, last_word }) = converse(&mut socket, &mut buffer, id, &commands).await
        && commands.send(Command::Close(id, answer)).await.is_ok()
        && !last_word
    {
        while matches!(socket.read(&mut buffer).await, Ok(1..)) {}
    }
}

/// Answers pings until there is a reason to close; `None` if the connection,
/// or the delivery, ends before.
async fn converse(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8; BUFFER_BYTES],
    id: ClientId,
    commands: &mpsc::Sender<Command>,
) -> Option<End> {
    let mut filled = 0;
    loop {
        match socket.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => filled += read,
        }
        let mut start = 0;
        loop {
            match take(&mut buffer[start..filled]) {
                Err(end) => return Some(end),
                Ok(None) => break,
                Ok(Some(Said { length, pong })) => {
                    start += length;
                    if let Some(frame) = pong {
                        // The next frame is looked at when the socket takes
                        // this answer: so a flood of pings is slowed to the
                        // pace at which its sender reads.
                        let (answer, taken) = oneshot::channel();
                        let pong = Command::Pong(id, frame, answer);
                        commands.send(pong).await.ok()?;
                        let _ = taken.await;
                    }
                }
            }
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
}

/// A whole frame of a client that goes on.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    /// How many bytes the frame takes.
    length: usize,
    /// The frame to answer with.
    pong: Option<Bytes>,
}

/// Why the conversation is over.
#[derive(Debug, PartialEq, Eq)]
struct End {
    answer: Close,
    /// Whether the client said goodbye, rightly or not, and sends no more.
    last_word: bool,
}

impl From<Close> for End {
    fn from(fault: Close) -> End {
        End { answer: fault, last_word: false }
    }
}

/// Takes the frame at the start of `bytes`, or the reason to close; `None` if
/// more bytes are needed.
fn take(bytes: &mut [u8]) -> Result<Option<Said>, End> {
    let Some(header) = frame::decode_header(bytes)? else { return Ok(None) };
    match header.opcode {
        Opcode::Text | Opcode::Binary => return Err(Close::NO_MESSAGES.into()),
        Opcode::Continuation => {
            return Err(Close::protocol_error("there is no message to continue").into());
        }
        Opcode::Close | Opcode::Ping | Opcode::Pong => {}
    }
    let length = header.header_bytes + header.payload_bytes as usize;
    let Some(payload) = bytes.get_mut(header.header_bytes..length) else { return Ok(None) };
    frame::unmask(payload, header.mask);
    match header.opcode {
        Opcode::Close => Err(End { answer: Close::answer_to(payload), last_word: true }),
        Opcode::Ping => Ok(Some(Said { length, pong: Some(frame::pong(payload)) })),
        _ => Ok(Some(Said { length, pong: None })),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes whole frames off a stream that arrives in two parts.
    fn taken(bytes: &[u8], split: usize) -> (Vec<Said>, Option<Close>) {
        let mut buffer = Vec::new();
        let mut said = Vec::new();
        for part in [&bytes[..split], &bytes[split..]] {
            buffer.extend_from_slice(part);
            loop {
                match take(&mut buffer) {
                    Ok(None) => break,
                    Err(end) => return (said, Some(end.answer)),
                    Ok(Some(frame)) => {
                        buffer.drain(..frame.length);
                        said.push(frame);
                    }
                }
            }
        }
        (said, None)
    }

    #[test]
    fn the_longest_control_frame_fits_the_buffer() {
        let frame = [&[0x89, 0xfd, 0, 0, 0, 0][..], &[7; 125]].concat();
        assert!(frame.len() <= BUFFER_BYTES);
        let (said, close) = taken(&frame, 100);
        assert_eq!(said, [Said { length: 131, pong: Some(frame::pong(&[7; 125])) }]);
        assert_eq!(close, None);
    }

    #[test]
    fn pings_are_answered_and_pongs_are_not() {
        let ping = b"\x89\x82\x01\x01\x01\x01ih";
        let pong = b"\x8a\x80\x00\x00\x00\x00";
        let close = b"\x88\x80\x00\x00\x00\x00";
        let (said, close) = taken(&[&pong[..], ping, close].concat(), 3);
        let hi = Some(frame::pong(b"hi"));
        assert_eq!(said, [Said { length: 6, pong: None }, Said { length: 8, pong: hi }]);
        assert_eq!(close, Some(Close { code: None, reason: "" }));
    }

    #[test]
    fn data_frames_end_the_conversation() {
        assert_eq!(taken(b"\x01\x80\0\0\0\0", 0).1, Some(Close::NO_MESSAGES));
        assert_eq!(taken(b"\x82\x81\0\0\0\0", 0).1, Some(Close::NO_MESSAGES));
        assert_eq!(taken(b"\x80\x80\0\0\0\0", 0).1.unwrap().code, Some(1002));
    }

    proptest! {
        #[test]
        fn random_bytes_are_taken_alike_wherever_they_are_split(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            split in 0..300_usize,
        ) {
            prop_assert_eq!(taken(&bytes, split.min(bytes.len())), taken(&bytes, 0));
        }

        #[test]
        fn control_frames_are_taken_alike_wherever_they_are_split(
            payloads in proptest::collection::vec(
                (prop_oneof![Just(0x89), Just(0x8a)], any::<[u8; 4]>(), proptest::collection::vec(any::<u8>(), 0..126)),
                1..5,
            ),
            split in 0..600_usize,
        ) {
            let mut bytes = Vec::new();
            for (first, mask, payload) in &payloads {
                bytes.extend([*first, 0x80 | payload.len() as u8]);
                bytes.extend(mask);
                bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            }
            let (said, close) = taken(&bytes, split.min(bytes.len()));
            prop_assert_eq!(close, None);
            let pongs: Vec<_> = said.into_iter().map(|said| said.pong).collect();
            let expected: Vec<_> = payloads
                .iter()
                .map(|(first, _, payload)| (*first == 0x89).then(|| frame::pong(payload)))
                .collect();
            prop_assert_eq!(pongs, expected);
        }
    }
}
