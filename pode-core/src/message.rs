//! Messages: payloads encoded once, however many clients receive them.

use bytes::Bytes;
use serde::Serialize;

use crate::frame::{Header, MAX_HEADER_BYTES, Opcode};

/// The usual maximum, so that the buffers of most messages needn't grow.
const USUAL_BYTES: usize = 256;

/// A payload that can be sent to clients: any type that serde serializes, and
/// types that encode themselves.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent to clients",
    label = "no JSON is made of this",
    note = "derive `Serialize` for it"
)]
pub trait Payload {
    /// Whether what is encoded is JSON in a text: clients that offer the subprotocol
    /// `pode.v1` then get it in an object with its position.
    const IS_JSON: bool = false;

    /// Encodes the payload, once for however many clients.
    ///
    /// # Errors
    ///
    /// It has no JSON form, for example a map with tuple keys.
    fn encode(&self) -> Result<Message, serde_json::Error>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Payload for T {
    const IS_JSON: bool = true;

    fn encode(&self) -> Result<Message, serde_json::Error> {
        Message::json(self)
    }
}

/// A message, ready to be written to any number of sockets.
///
/// It holds the whole WebSocket frame; cloning shares it.
///
/// ```
/// # use pode_core::Message;
///
/// let message = Message::json(&[1, 2]).unwrap();
/// assert_eq!(message.payload(), b"[1,2]");
/// assert_eq!(&message.frame()[..], b"\x81\x05[1,2]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    frame: Bytes,
    header_bytes: u8,
}

impl Message {
    /// Encodes a payload as JSON.
    ///
    /// # Errors
    ///
    /// The payload has no JSON form, for example a map with tuple keys.
    pub fn json<T: Serialize + ?Sized>(payload: &T) -> Result<Message, serde_json::Error> {
        // The payload is written after space for the longest header, so that
        // the header can be put right before it without moving it.
        let mut buffer = Vec::with_capacity(USUAL_BYTES);
        buffer.resize(MAX_HEADER_BYTES, 0);
        serde_json::to_writer(&mut buffer, payload)?;
        Ok(Message::with_header(Opcode::Text, buffer))
    }

    /// Takes a text unchanged.
    pub fn text(payload: &str) -> Message {
        Message::framed(Opcode::Text, payload.as_bytes())
    }

    /// Makes what is sent when a key is removed: no frame at all.
    pub fn removal() -> Message {
        Message { frame: Bytes::new(), header_bytes: 0 }
    }

    /// Takes bytes unchanged.
    pub fn binary(payload: &[u8]) -> Message {
        Message::framed(Opcode::Binary, payload)
    }

    fn framed(opcode: Opcode, payload: &[u8]) -> Message {
        let mut buffer = Vec::with_capacity(MAX_HEADER_BYTES + payload.len());
        buffer.resize(MAX_HEADER_BYTES, 0);
        buffer.extend_from_slice(payload);
        Message::with_header(opcode, buffer)
    }

    /// Frames the payload that follows the first ten bytes of the buffer.
    fn with_header(opcode: Opcode, mut buffer: Vec<u8>) -> Message {
        let header = Header::new(opcode, buffer.len() - MAX_HEADER_BYTES);
        let header = header.as_bytes();
        let start = MAX_HEADER_BYTES - header.len();
        buffer[start..MAX_HEADER_BYTES].copy_from_slice(header);
        let frame = Bytes::from(buffer).slice(start..);
        Message { frame, header_bytes: header.len() as u8 }
    }

    /// Returns the frame as it is sent: header and payload, unmasked.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Returns the payload.
    pub fn payload(&self) -> &[u8] {
        &self.frame[self.header_bytes.into()..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_stands_right_before_the_payload() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            let message = Message::text(&text);
            assert_eq!(message.payload(), text.as_bytes());
            let header = Header::new(Opcode::Text, length);
            assert_eq!(&message.frame()[..header.as_bytes().len()], header.as_bytes());
        }
    }

    #[test]
    fn bytes_have_their_own_opcode() {
        assert_eq!(&Message::binary(b"\xff\0").frame()[..], b"\x82\x02\xff\0");
    }

    #[test]
    fn cloning_shares_the_frame() {
        let message = Message::json("hi").unwrap();
        assert_eq!(message.clone().frame().as_ptr(), message.frame().as_ptr());
    }

    #[test]
    fn a_payload_without_a_json_form_is_an_error() {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(Message::json(&map).is_err());
    }
}
