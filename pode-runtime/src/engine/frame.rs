//! Frames as clients send them, and the control frames that answer them
//! (RFC 6455, section 5).
//!
//! Plain functions over bytes: nothing here reads, writes or waits.

use bytes::Bytes;
use pode_core::frame::{Header, Opcode};

/// The header of a frame that a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientHeader {
    pub(super) opcode: Opcode,
    /// How many bytes the header itself takes.
    pub(super) header_bytes: usize,
    /// How many bytes follow it; at most 125 in a control frame.
    pub(super) payload_bytes: u64,
    /// What the payload is masked with.
    pub(super) mask: [u8; 4],
}

/// What a close frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Close {
    /// Absent only in the answer to a client that gave none.
    pub(super) code: Option<u16>,
    /// For the people at the other end; at most 123 bytes.
    pub(super) reason: &'static str,
}

impl Close {
    pub(super) const STOPPING: Close = Close::new(1001, "the server is stopping");
    pub(super) const NO_MESSAGES: Close = Close::new(1003, "this signal takes no messages");
    pub(super) const TOO_SLOW: Close = Close::new(1013, "too slow: too many messages wait");

    /// Makes what is said to a client that breaks the protocol.
    pub(super) const fn protocol_error(reason: &'static str) -> Close {
        Close::new(1002, reason)
    }

    /// Validates the payload of a client's close frame, and makes the answer:
    /// the same code, or what is wrong with it.
    pub(super) fn answer_to(payload: &[u8]) -> Close {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return match payload {
                [] => Close { code: None, reason: "" },
                _ => Close::protocol_error("a close code has two bytes"),
            };
        };
        let code = u16::from_be_bytes(*code);
        if !may_travel(code) {
            Close::protocol_error("this close code may not be sent")
        } else if std::str::from_utf8(reason).is_err() {
            Close::new(1007, "the reason for closing is not UTF-8")
        } else {
            Close::new(code, "")
        }
    }

    /// Encodes the frame.
    pub(super) fn frame(&self) -> Bytes {
        let code = self.code.map(u16::to_be_bytes);
        let code = code.as_ref().map_or(&[][..], |code| &code[..]);
        control(Opcode::Close, &[code, self.reason.as_bytes()].concat())
    }

    const fn new(code: u16, reason: &'static str) -> Close {
        Close { code: Some(code), reason }
    }
}

/// Encodes the answer to a ping.
pub(super) fn pong(payload: &[u8]) -> Bytes {
    control(Opcode::Pong, payload)
}

/// Decodes the header at the start of `bytes`; `None` if more are needed.
///
/// Judges as soon as it can, and always the same, however many bytes of the
/// payload are there already.
///
/// # Errors
///
/// What to close the connection with if this is no frame that a client may
/// send. A header is judged by itself: whether a continuation continues
/// anything is for the caller to know.
pub(super) fn decode_header(bytes: &[u8]) -> Result<Option<ClientHeader>, Close> {
    const FINAL: u8 = 0x80;
    const RESERVED: u8 = 0x70;
    const MASKED: u8 = 0x80;

    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
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
    if opcode.is_control() && first & FINAL == 0 {
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
    Ok(Some(ClientHeader { opcode, header_bytes, payload_bytes, mask: *mask }))
}

/// Turns a masked payload into what the client meant.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, mask) in payload.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

fn control(opcode: Opcode, payload: &[u8]) -> Bytes {
    debug_assert!(payload.len() <= 125, "a control frame carries at most 125 bytes");
    [Header::new(opcode, payload.len()).as_bytes(), payload].concat().into()
}

/// Tells whether a close frame may carry the code: those that the standard or
/// its registry define for it, and those left to libraries and applications
/// (section 7.4).
fn may_travel(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Option<(Opcode, usize, u64)>, u16>) {
        let found = match decode_header(bytes) {
            Ok(header) => Ok(header.map(|it| (it.opcode, it.header_bytes, it.payload_bytes))),
            Err(close) => Err(close.code.unwrap()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn headers_are_decoded_in_each_of_their_lengths() {
        check(&[0x81, 0x80, 1, 2, 3, 4], Ok(Some((Opcode::Text, 6, 0))));
        check(&[0x81, 0xfd, 1, 2, 3, 4, 5], Ok(Some((Opcode::Text, 6, 125))));
        check(&[0x02, 0xfe, 0, 126, 1, 2, 3, 4], Ok(Some((Opcode::Binary, 8, 126))));
        let long = [0x80, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
        check(&long, Ok(Some((Opcode::Continuation, 14, 65_536))));
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

    #[test]
    fn a_close_is_answered_with_its_code() {
        let code = |payload: &[u8]| Close::answer_to(payload).code;
        assert_eq!(code(&[]), None);
        assert_eq!(code(&[3]), Some(1002));
        assert_eq!(code(b"\x03\xe8bye"), Some(1000));
        assert_eq!(code(b"\x03\xe8\xff"), Some(1007));
        for allowed in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999] {
            assert_eq!(code(&u16::to_be_bytes(allowed)), Some(allowed));
        }
        for refused in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
            assert_eq!(code(&u16::to_be_bytes(refused)), Some(1002));
        }
    }

    #[test]
    fn control_frames_are_encoded() {
        assert_eq!(&pong(b"hi")[..], b"\x8a\x02hi");
        assert_eq!(&Close { code: None, reason: "" }.frame()[..], b"\x88\x00");
        assert_eq!(&Close::new(1000, "bye").frame()[..], b"\x88\x05\x03\xe8bye");
    }

    #[test]
    fn a_mask_repeats_every_four_bytes() {
        let mut payload = [0, 1, 2, 3, 4];
        unmask(&mut payload, [1, 0, 0, 1]);
        assert_eq!(payload, [1, 1, 2, 2, 5]);
    }

    proptest! {
        /// Whatever comes, and wherever it is cut: a verdict is reached once
        /// and stays.
        #[test]
        fn more_bytes_never_change_a_verdict(bytes: [u8; 20]) {
            let mut verdict = Ok(None);
            for length in 0..=bytes.len() {
                let found = decode_header(&bytes[..length]);
                if verdict != Ok(None) {
                    prop_assert_eq!(found, verdict);
                }
                verdict = found;
            }
            prop_assert_ne!(verdict, Ok(None), "no header is longer than 14 bytes");
        }

        #[test]
        fn any_close_payload_has_an_answer(payload in proptest::collection::vec(any::<u8>(), 0..126)) {
            let frame = Close::answer_to(&payload).frame();
            prop_assert!(frame.len() <= 2 + 125);
        }
    }
}
