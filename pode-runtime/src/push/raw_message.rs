//! Messages as they travel, of which no JSON is made or read.

use bytes::Bytes;
use pode_core::{Message, Payload};

/// What travels to or from a client as it is: no JSON is made or read.
///
/// As the type of a signal's payload it lets texts and bytes through:
/// `signal ECHO: RawMessage -> Frame = "/" => echo;`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawMessage {
    /// A message of text.
    Text(String),
    /// A message of bytes.
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
