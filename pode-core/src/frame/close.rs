//! Close frames: why a connection ends (RFC 6455, sections 5.5.1 and 7.4).

use std::borrow::Cow;

use bytes::Bytes;

use super::{Opcode, control};

/// The content of a close frame.
///
/// ```
/// # use pode_core::frame::Close;
///
/// assert_eq!(&Close::TOO_BIG.frame()[..4], b"\x88\x18\x03\xf1");
/// assert_eq!(Close::answer_to(b"\x03\xe8bye").code(), Some(1000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Absent only in the answer to a client that sent none.
    code: Option<u16>,
    /// For people on the other side; at most [`MAX_REASON_BYTES`], so that code
    /// and reason fit a control frame.
    reason: Cow<'static, str>,
}

/// The most bytes of the reason for closing.
pub const MAX_REASON_BYTES: usize = 123;

/// A close frame can't have this code or reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    /// The code may not be sent.
    #[error(
        "close code {0} may not be sent; 1000 is the usual one, those from 4000 to 4999 are free"
    )]
    Code(u16),
    /// The reason is longer than [`MAX_REASON_BYTES`].
    #[error("the reason for closing is longer than 123 bytes")]
    Reason,
}

impl Close {
    /// The server is stopping: 1001.
    pub const STOPPING: Close = Close::new(1001, "the server is stopping");
    /// A message arrived where none is accepted: 1003.
    pub const NO_MESSAGES: Close = Close::new(1003, "this signal takes no messages");
    /// A text is not UTF-8: 1007.
    pub const NOT_UTF8: Close = Close::new(1007, "the text is not UTF-8");
    /// A message is longer than accepted: 1009.
    pub const TOO_BIG: Close = Close::new(1009, "the message is too big");
    /// A frame is longer than accepted: 1009.
    pub const FRAME_TOO_BIG: Close = Close::new(1009, "the frame is too big");
    /// A message that might never end: 1008.
    pub const TOO_MANY_EMPTY: Close = Close::new(1008, "too many empty frames");
    /// The rest of a message arrives too slowly: 1008.
    pub const TRICKLES: Close = Close::new(1008, "the message comes too slowly");
    /// The same for a client of `pode.v1`: 4408, so that it comes back, as its link is slow.
    pub const TRICKLES_V1: Close = Close::new(4408, "the message comes too slowly");
    /// The client has sent no message for as long as it may: 1000.
    pub const IDLE: Close = Close::new(1000, "nothing was said for too long");
    /// The server made a mistake itself: 1011.
    pub const FAILED: Close = Close::new(1011, "the server failed");
    /// A client sends more messages than it may: 1008.
    pub const TOO_MANY: Close = Close::new(1008, "too many messages");
    /// The same for a client of `pode.v1`: 4429, so that it comes back.
    pub const TOO_MANY_V1: Close = Close::new(4429, "too many messages");
    /// Another client replaced this one: 1008.
    pub const REPLACED: Close = Close::new(1008, "another client came with this id");
    /// The same for a client of `pode.v1`: 4001, so that it doesn't come back.
    pub const REPLACED_V1: Close = Close::new(4001, "another client came with this id");
    /// A client of `pode.v1` sent something else: 1007.
    pub const NOT_V1: Close = Close::new(1007, "this is no message of pode.v1");
    /// The number of its message is beyond the next one: 1007.
    pub const NOT_NEXT: Close = Close::new(1007, "messages before this one are missing");
    /// A client of `pode.v1` has another connection, which may be one that it gave up:
    /// 4409, so that it comes back if nobody is there.
    pub const ELSEWHERE: Close = Close::new(4409, "another connection of this client has come");
    /// Too many messages wait for a slow consumer: 1013.
    pub const TOO_SLOW: Close = Close::new(1013, "too slow: too many messages wait");
    /// Messages for a client are missing, of which it can't be told otherwise: 1013.
    pub const MISSING: Close = Close::new(1013, "messages are missing");

    /// A client resumes too late for the messages it missed, or from a position that
    /// was never given: 4410, as browsers show no status of a refused handshake.
    pub const FORGOTTEN: Close =
        Close::new(4410, "the missed messages are no longer kept: connect without `resume`");

    /// Makes the close frame for a client that breaks the protocol: 1002.
    pub(crate) const fn protocol_error(reason: &'static str) -> Close {
        Close::new(1002, reason)
    }

    /// Makes a close frame with a custom code and reason.
    ///
    /// # Errors
    ///
    /// The code may not be sent (section 7.4), or the reason is too long.
    pub fn own(code: u16, reason: impl Into<Cow<'static, str>>) -> Result<Close, CloseError> {
        let reason = reason.into();
        if !may_travel(code) {
            Err(CloseError::Code(code))
        } else if reason.len() > MAX_REASON_BYTES {
            Err(CloseError::Reason)
        } else {
            Ok(Close { code: Some(code), reason })
        }
    }

    /// Validates the payload of a client's close frame, and makes the answer:
    /// the same code, or the error in the payload.
    pub fn answer_to(payload: &[u8]) -> Close {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return match payload {
                [] => Close { code: None, reason: Cow::Borrowed("") },
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

    /// Returns the code; `None` only in the answer to a client that sent none.
    pub const fn code(&self) -> Option<u16> {
        self.code
    }

    /// Returns the reason, for people on the other side; may be empty.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Encodes the frame.
    pub fn frame(&self) -> Bytes {
        let code = self.code.map(u16::to_be_bytes);
        let code = code.as_ref().map_or(&[][..], |code| &code[..]);
        control(Opcode::Close, &[code, self.reason.as_bytes()].concat())
    }

    const fn new(code: u16, reason: &'static str) -> Close {
        Close { code: Some(code), reason: Cow::Borrowed(reason) }
    }
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
    fn close_frames_are_encoded() {
        assert_eq!(&Close::answer_to(b"").frame()[..], b"\x88\x00");
        assert_eq!(&Close::new(1000, "bye").frame()[..], b"\x88\x05\x03\xe8bye");
    }

    #[test]
    fn whoever_closes_may_say_why() {
        let bye = Close::own(4001, "bye".to_owned()).unwrap();
        assert_eq!(&bye.frame()[..], b"\x88\x05\x0f\xa1bye");
        assert_eq!(Close::own(1005, ""), Err(CloseError::Code(1005)));
        assert_eq!(Close::own(1000, "x".repeat(124)), Err(CloseError::Reason));
        assert!(Close::own(1000, "x".repeat(123)).is_ok());
    }

    proptest! {
        #[test]
        fn any_close_payload_has_an_answer(payload in proptest::collection::vec(any::<u8>(), 0..126)) {
            let frame = Close::answer_to(&payload).frame();
            prop_assert!(frame.len() <= 2 + 125);
        }
    }
}
