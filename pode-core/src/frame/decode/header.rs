//! The header of a frame that a client sends (RFC 6455, section 5.2).

use super::super::{Close, Opcode};

/// The longest header of a frame that a client sends, in bytes.
pub(super) const MAX_HEADER_BYTES: usize = 14;

/// The part of a frame before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientHeader {
    pub(super) opcode: Opcode,
    /// Whether the message ends with this frame; always true for a control
    /// frame.
    pub(super) last: bool,
    /// The length of the header itself: 6, 8 or 14 bytes.
    pub(super) header_bytes: usize,
    /// The length of the payload; at most 125 bytes in a control frame.
    pub(super) payload_bytes: u64,
    /// The mask of the payload.
    pub(super) mask: [u8; 4],
}

impl ClientHeader {
    /// Decodes the header at the start of `bytes`; `None` if more are needed.
    ///
    /// Decides as early as possible, and always the same, however many bytes of
    /// the payload have arrived.
    ///
    /// # Errors
    ///
    /// The close frame for the connection if no client may send this frame. A
    /// header is validated by itself: the caller must check that a continuation
    /// continues a message.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<ClientHeader>, Close> {
        const FINAL: u8 = 0x80;
        const RESERVED: u8 = 0x70;
        const MASKED: u8 = 0x80;

        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let last = first & FINAL != 0;
        if first & RESERVED != 0 {
            return Err(Close::protocol_error("a reserved bit is set"));
        }
        let Some(opcode) = Opcode::from_bits(first & 0x0f) else {
            return Err(Close::protocol_error("the opcode is reserved"));
        };
        if second & MASKED == 0 {
            return Err(Close::protocol_error("the frame is not masked"));
        }
        let length = second & !MASKED;
        if opcode.is_control() && !last {
            return Err(Close::protocol_error("a control frame is fragmented"));
        }
        if opcode.is_control() && length > 125 {
            return Err(Close::protocol_error("a control frame has more than 125 bytes"));
        }

        let (payload_bytes, shortest, rest) = match length {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u16::from_be_bytes(*length).into(), 126, rest)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*length), 1 << 16, rest)
            }
            length => (length.into(), 0, rest),
        };
        if payload_bytes < shortest || payload_bytes > i64::MAX as u64 {
            return Err(Close::protocol_error("the length is not in its shortest form"));
        }
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let header_bytes = bytes.len() - rest.len();
        Ok(Some(ClientHeader { opcode, last, header_bytes, payload_bytes, mask: *mask }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Option<(Opcode, bool, usize, u64)>, u16>) {
        let found = match ClientHeader::decode(bytes) {
            Ok(header) => {
                Ok(header.map(|it| (it.opcode, it.last, it.header_bytes, it.payload_bytes)))
            }
            Err(close) => Err(close.code().unwrap()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn headers_are_decoded_in_each_of_their_lengths() {
        check(&[0x81, 0x80, 1, 2, 3, 4], Ok(Some((Opcode::Text, true, 6, 0))));
        check(&[0x81, 0xfd, 1, 2, 3, 4, 5], Ok(Some((Opcode::Text, true, 6, 125))));
        check(&[0x02, 0xfe, 0, 126, 1, 2, 3, 4], Ok(Some((Opcode::Binary, false, 8, 126))));
        let long = [0x80, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
        assert_eq!(long.len(), MAX_HEADER_BYTES);
        check(&long, Ok(Some((Opcode::Continuation, true, 14, 65_536))));
        for length in 0..long.len() {
            check(&long[..length], Ok(None));
        }
    }

    #[test]
    fn what_no_client_may_send_is_a_protocol_error() {
        check(&[0x81, 0x00], Err(1002)); // Not masked.
        check(&[0xc1, 0x80], Err(1002)); // The first reserved bit, as of a compressed frame.
        check(&[0x83, 0x80], Err(1002)); // A reserved data opcode.
        check(&[0x8b, 0x80], Err(1002)); // A reserved control opcode.
        check(&[0x09, 0x80], Err(1002)); // A fragmented ping.
        check(&[0x89, 0xfe], Err(1002)); // A ping of more than 125 bytes.
        check(&[0x82, 0xfe, 0, 125], Err(1002)); // 125 bytes, the long way.
        check(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Err(1002));
        check(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], Err(1002));
    }

    proptest! {
        /// Whatever the bytes, and wherever they are split: a verdict is
        /// reached once and stays.
        #[test]
        fn more_bytes_never_change_a_verdict(bytes: [u8; 20]) {
            let mut verdict = Ok(None);
            for length in 0..=bytes.len() {
                let found = ClientHeader::decode(&bytes[..length]);
                if verdict != Ok(None) {
                    prop_assert_eq!(&found, &verdict);
                }
                verdict = found;
            }
            prop_assert_ne!(verdict, Ok(None), "no header is longer than 14 bytes");
        }
    }
}
