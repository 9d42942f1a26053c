//! Decodes a stream of any bytes.
//!
//! [`check`] needs only bytes and uses only the decoder, so that a fuzzer can
//! call it, too.

use pode_core::frame::{AcceptPolicy, Close, Decoder, Received};

/// The decoded contents of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub(crate) heard: Vec<Heard>,
    pub(crate) end: End,
}

/// A message or control frame, except the close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// More could follow.
    Open,
    /// The client sent a close frame, and gets this answer.
    Closed(Close),
    /// The client broke the protocol, and gets this close frame.
    Refused(Close),
}

/// How a stream reaches the decoder.
#[derive(Clone, Debug)]
pub(crate) struct Reads {
    /// The sizes of the reads in bytes, repeated in a cycle; each at least one.
    pub(crate) bytes: Vec<usize>,
    /// Whether the caller stops after each ping, and reads more before it
    /// decodes the bytes that it had.
    pub(crate) stop_after_pings: bool,
}

/// Panics if the decoder does, or if the result depends on the stream's cuts.
pub(crate) fn check(stream: &[u8]) {
    let own_bytes = stream.iter().map(|byte| 1 + usize::from(byte % 64)).take(64).collect();
    let reads = [
        Reads { bytes: vec![1], stop_after_pings: false },
        Reads { bytes: vec![1], stop_after_pings: true },
        Reads { bytes: own_bytes, stop_after_pings: true },
        Reads { bytes: vec![usize::MAX], stop_after_pings: true },
    ];
    for max_bytes in [None, Some(0), Some(16), Some(1 << 17)] {
        let incoming = max_bytes.map_or(AcceptPolicy::Nothing, AcceptPolicy::messages);
        let whole = decode_whole(stream, incoming);
        for heard in &whole.heard {
            match heard {
                Heard::Text(text) => assert!(Some(text.len()) <= max_bytes),
                Heard::Binary(payload) => assert!(Some(payload.len()) <= max_bytes),
                Heard::Ping(payload) | Heard::Pong(payload) => assert!(payload.len() <= 125),
            }
        }
        for reads in &reads {
            assert_eq!(decode(stream, incoming, reads), whole, "{reads:?}");
        }
    }
}

/// Decodes a stream that arrives in one read.
pub(crate) fn decode_whole(stream: &[u8], incoming: AcceptPolicy) -> Conversation {
    decode(stream, incoming, &Reads { bytes: vec![usize::MAX], stop_after_pings: false })
}

/// Decodes a stream that arrives in these reads.
pub(crate) fn decode(stream: &[u8], incoming: AcceptPolicy, reads: &Reads) -> Conversation {
    let mut decoder = Decoder::default();
    let mut heard = Vec::new();
    let mut unread = stream;
    let mut buffer = Vec::new();
    let mut sizes = reads.bytes.iter().cycle();
    loop {
        let size = *sizes.next().unwrap_or(&usize::MAX);
        let (read, later) = unread.split_at(size.min(unread.len()));
        buffer.extend(read);
        unread = later;

        let mut input = &mut buffer[..];
        let stopped = loop {
            let said = match decoder.next(&mut input, incoming) {
                Ok(Some(said)) => said,
                Ok(None) => {
                    assert!(input.is_empty(), "{} bytes were left behind", input.len());
                    break false;
                }
                Err(fault) => return Conversation { heard, end: End::Refused(fault) },
            };
            heard.push(match said {
                Received::Text(text) => Heard::Text(text.to_owned()),
                Received::Binary(payload) => Heard::Binary(payload.to_vec()),
                Received::Ping(payload) => Heard::Ping(payload.to_vec()),
                Received::Pong(payload) => Heard::Pong(payload.to_vec()),
                Received::Close(answer) => return Conversation { heard, end: End::Closed(answer) },
            });
            if reads.stop_after_pings && matches!(said, Received::Ping(_)) {
                break true;
            }
        };
        let left = input.len();
        buffer.drain(..buffer.len() - left);
        if unread.is_empty() && !stopped {
            return Conversation { heard, end: End::Open };
        }
    }
}
