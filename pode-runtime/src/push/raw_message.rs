//! Messages as they travel, of which no JSON is made or read.

use bytes::Bytes;
use pode_core::{Message, Payload};

/// What travels to or from a client as it is: no JSON is made or read.
///
/// As the type of a signal's payload it lets texts and bytes through:
/// `signal ECHO: Frame -> Frame = "/" => echo;`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message of text.
    Text(String),
    /// A message of bytes.
    Binary(Bytes),
}

impl Payload for Frame {
    fn encode(&self) -> Result<Message, serde_json::Error> {
        Ok(match self {
            Frame::Text(text) => Message::text(text),
            Frame::Binary(bytes) => Message::binary(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_travel_as_they_are() {
        let text = Frame::Text("\"hi".to_owned()).encode().unwrap();
        assert_eq!(&text.frame()[..], b"\x81\x03\"hi");
        let bytes = Frame::Binary(Bytes::from_static(b"\xff\0")).encode().unwrap();
        assert_eq!(&bytes.frame()[..], b"\x82\x02\xff\0");
        assert_eq!("\"hi".encode().unwrap().payload(), br#""\"hi""#);
    }
}
