//! Decodes the same streams by tungstenite.
//!
//! The verdicts may differ in these four ways only:
//!
//! - We refuse a length that takes more bytes than it needs (section 5.2);
//!   tungstenite accepts it.
//! - We accept the close code 1014, which was registered after the standard.
//! - We refuse a frame at its header, and a text at its first bad byte;
//!   tungstenite waits for the whole frame.
//! - If a frame has two faults, tungstenite prefers to report that it is too
//!   big, or that the reason of a close is not UTF-8.

use std::io::{self, Read, Write};

use pode_core::frame::AcceptPolicy;
use proptest::prelude::*;
use proptest::sample::Index;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

use crate::client::{Frame, encode, speeches};
use crate::corpus::{changed_streams, entries};
use crate::stream::{End, Heard, decode_whole};

/// How a stream ends; a close frame and a fault count alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Open,
    /// With the close code of the server's answer.
    Closed(Option<u16>),
}

/// A stream that a server reads; its answers are discarded.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn second_opinion(stream: &[u8], max_bytes: usize) -> (Vec<Heard>, Ending) {
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(max_bytes))
        .max_frame_size(Some(max_bytes.max(125)));
    let mut socket = WebSocket::from_raw_socket(Wire(stream), Role::Server, Some(config));
    let mut heard = Vec::new();
    loop {
        heard.push(match socket.read() {
            Ok(Message::Text(text)) => Heard::Text(text.to_string()),
            Ok(Message::Binary(payload)) => Heard::Binary(payload.to_vec()),
            Ok(Message::Ping(payload)) => Heard::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Heard::Pong(payload.to_vec()),
            Ok(Message::Close(close)) => {
                return (heard, Ending::Closed(close.map(|close| close.code.into())));
            }
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return (heard, Ending::Open);
            }
            Err(Error::Protocol(_)) => return (heard, Ending::Closed(Some(1002))),
            Err(Error::Utf8(_)) => return (heard, Ending::Closed(Some(1007))),
            Err(Error::Capacity(_)) => return (heard, Ending::Closed(Some(1009))),
            other => panic!("unexpected: {other:?}"),
        });
    }
}

/// Why two verdicts on a stream may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    LongLength,
    Code1014,
    ToldEarlier,
    OtherFault,
}

/// Our reasons for refusing a length that takes more bytes than it needs.
const LONG_LENGTHS: [&str; 2] =
    ["the length is not in its shortest form", "a control frame has more than 125 bytes"];

/// Compares the verdicts on a stream of messages of at most `max_bytes`.
fn compare(stream: &[u8], max_bytes: usize) -> Result<Option<Difference>, TestCaseError> {
    let ours = decode_whole(stream, AcceptPolicy::messages(max_bytes));
    let (their_heard, theirs) = second_opinion(stream, max_bytes);
    let same_heard = ours.heard == their_heard;
    let same_ending = match &ours.end {
        End::Open => theirs == Ending::Open,
        End::Closed(close) | End::Refused(close) => theirs == Ending::Closed(close.code()),
    };
    if same_heard && same_ending {
        return Ok(None);
    }
    let difference = match (&ours.end, theirs) {
        (End::Closed(answer), Ending::Closed(Some(1002))) if answer.code() == Some(1014) => {
            Difference::Code1014
        }
        (End::Refused(_), Ending::Open) if same_heard => Difference::ToldEarlier,
        (End::Refused(fault), Ending::Closed(Some(1009)))
            if same_heard && fault.code() == Some(1002) =>
        {
            Difference::OtherFault
        }
        (End::Closed(answer), Ending::Closed(Some(1007))) if answer.code() == Some(1002) => {
            Difference::OtherFault
        }
        (End::Refused(fault), _) if LONG_LENGTHS.contains(&fault.reason()) => {
            Difference::LongLength
        }
        _ => return Err(TestCaseError::fail(format!("{:?}, but {theirs:?}", ours.end))),
    };
    // Both decode the same before the fault; tungstenite decodes more after a
    // long length.
    prop_assert!(their_heard.starts_with(&ours.heard));
    prop_assert!(same_heard || difference == Difference::LongLength);
    Ok(Some(difference))
}

#[test]
fn the_files_are_judged_alike_unless_they_say_why_not() {
    for entry in entries() {
        let AcceptPolicy::Messages { max_bytes, .. } = entry.incoming else { continue };
        let difference = compare(&entry.stream, max_bytes);
        let difference = difference.unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        assert_eq!(difference.is_some(), entry.differs.is_some(), "{}: {difference:?}", entry.name);
    }
}

/// A whole frame, which may be wrong in any other way.
fn any_frames() -> impl Strategy<Value = Frame> {
    let first = prop_oneof![
        3 => prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let mask = prop::option::weighted(0.95, any::<[u8; 4]>());
    let close_code = prop_oneof![990..1020_u16, 2990..3010_u16, 4990..5010_u16];
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(any::<char>(), 0..20)
            .prop_map(|text| text.into_iter().collect::<String>().into_bytes()),
        (close_code, prop::collection::vec(any::<char>(), 0..4)).prop_map(|(code, reason)| {
            let reason: String = reason.into_iter().collect();
            [&code.to_be_bytes(), reason.as_bytes()].concat()
        }),
    ];
    (first, mask, payload).prop_map(|(first, mask, payload)| Frame { first, mask, payload })
}

proptest! {
    #[test]
    fn whole_frames_are_judged_alike(
        speech in speeches(),
        inserted in prop::collection::vec((any::<Index>(), any_frames()), 0..3),
        max_bytes in prop_oneof![Just(200_usize), Just(1 << 17)],
    ) {
        let mut frames = speech.frames;
        for (at, frame) in inserted {
            frames.insert(at.index(frames.len() + 1), frame);
        }
        let difference = compare(&encode(&frames), max_bytes)?;
        prop_assert!(matches!(difference, None | Some(Difference::Code1014 | Difference::OtherFault)));
    }

    #[test]
    fn changed_files_are_judged_alike(stream in changed_streams()) {
        compare(&stream, 1000)?;
    }
}
