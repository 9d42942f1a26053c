//! Raw messages: no JSON is encoded or decoded.

use bytes::Bytes;
use pode_core::{Message, Payload};

/// A message to or from a client, unchanged: no JSON is encoded or decoded.
///
/// As a signal's payload type it passes text and bytes through:
/// `signal ECHO: RawMessage -> Frame = "/" => echo;`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawMessage {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

impl Payload for RawMessage {
    fn encode(&self) -> Result<Message, serde_json::Error> {
        Ok(match self {
            RawMessage::Text(text) => Message::text(text),
            RawMessage::Binary(bytes) => Message::binary(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_messages_travel_as_they_are() {
        let text = RawMessage::Text("\"hi".to_owned()).encode().unwrap();
        assert_eq!(&text.frame()[..], b"\x81\x03\"hi");
        let bytes = RawMessage::Binary(Bytes::from_static(b"\xff\0")).encode().unwrap();
        assert_eq!(&bytes.frame()[..], b"\x82\x02\xff\0");
        assert_eq!("\"hi".encode().unwrap().payload(), br#""\"hi""#);
    }
}
