//! WebSocket frames on the wire (RFC 6455, section 5).
//!
//! Plain functions over bytes: nothing here reads, writes or waits. [`Header`],
//! [`pong`] and [`Close`] encode what the server sends, a [`Decoder`] decodes
//! what a client sends.
//!
//! `close` has close frames with their codes, `decode/` the decoder: `header` reads
//! heads, `partial` keeps a message that isn't whole yet.

mod close;
mod decode;

use bytes::Bytes;

pub use close::{Close, CloseError, MAX_REASON_BYTES};
pub use decode::{AcceptPolicy, Decoder, Received};

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// More of a message that an earlier frame began.
    Continuation = 0x0,
    /// A message of UTF-8 text, or its first part.
    Text = 0x1,
    /// A message of bytes, or its first part.
    Binary = 0x2,
    /// The end of the connection, with an optional code and reason.
    Close = 0x8,
    /// Asks whether the peer is still there.
    Ping = 0x9,
    /// The answer to a ping, with the same payload.
    Pong = 0xA,
}

impl Opcode {
    /// Returns the opcode of these four bits; `None` for the reserved ones.
    pub const fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return None,
        })
    }

    /// Tells whether frames of this kind may come between the parts of a
    /// message; their payload is at most 125 bytes.
    pub const fn is_control(self) -> bool {
        self as u8 >= 0x8
    }
}

/// The longest header of a frame that a server sends, in bytes.
pub const MAX_HEADER_BYTES: usize = 10;

/// The header of a whole, unmasked message in one frame.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; MAX_HEADER_BYTES],
    length: usize,
}

impl Header {
    /// Makes the header of a payload of so many bytes.
    pub fn new(opcode: Opcode, payload_bytes: usize) -> Header {
        const FINAL: u8 = 0x80;
        let mut bytes = [0; MAX_HEADER_BYTES];
        bytes[0] = FINAL | opcode as u8;
        let length = if payload_bytes < 126 {
            bytes[1] = payload_bytes as u8;
            2
        } else if let Ok(short) = u16::try_from(payload_bytes) {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&short.to_be_bytes());
            4
        } else {
            bytes[1] = 127;
            bytes[2..10].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
            10
        };
        Header { bytes, length }
    }

    /// Returns how many bytes are before the payload in such a frame.
    pub fn bytes_of(frame: &[u8]) -> usize {
        match frame.get(1) {
            Some(126) => 4,
            Some(127) => 10,
            _ => 2.min(frame.len()),
        }
    }

    /// Returns the bytes before the payload: 2, 4 or 10.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Encodes the answer to a ping: a pong with the same payload, of at most 125
/// bytes (section 5.5.3).
pub fn pong(payload: &[u8]) -> Bytes {
    control(Opcode::Pong, payload)
}

/// Encodes a control frame.
fn control(opcode: Opcode, payload: &[u8]) -> Bytes {
    debug_assert!(payload.len() <= 125, "a control frame carries at most 125 bytes");
    [Header::new(opcode, payload.len()).as_bytes(), payload].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_use_the_shortest_length() {
        let header = |bytes| Header::new(Opcode::Text, bytes).as_bytes().to_vec();
        assert!(
            [0, 125, 126, 65_536].map(header).iter().all(|it| Header::bytes_of(it) == it.len())
        );
        assert_eq!(header(0), [0x81, 0]);
        assert_eq!(header(125), [0x81, 125]);
        assert_eq!(header(126), [0x81, 126, 0, 126]);
        assert_eq!(header(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(header(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_pong_repeats_the_payload() {
        assert_eq!(&pong(b"hi")[..], b"\x8a\x02hi");
    }

    #[test]
    fn reserved_opcodes_are_none() {
        let known: Vec<u8> = (0..16).filter(|bits| Opcode::from_bits(*bits).is_some()).collect();
        assert_eq!(known, [0, 1, 2, 8, 9, 10]);
        for bits in known {
            assert_eq!(Opcode::from_bits(bits).unwrap() as u8, bits);
        }
    }
}
