//! Decoding: from a client's message to the type that its handler takes.

use serde::de::DeserializeOwned;

use crate::http::decode;
use crate::push::raw_message::RawMessage;

/// A type that the handler of a signal may take: any type that serde reads from
/// JSON, in a text or binary message; or a [`RawMessage`], unchanged.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be made of what a client sends",
    label = "not made of JSON",
    note = "derive `Deserialize` for it, or take a `pode::RawMessage` as it comes"
)]
pub trait FromMessage: Sized {
    /// Decodes the message.
    ///
    /// # Errors
    ///
    /// An error text for the client, which says what is wrong.
    fn from_message(message: RawMessage) -> Result<Self, String>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> FromMessage for T {
    fn from_message(message: RawMessage) -> Result<T, String> {
        let json = match &message {
            RawMessage::Text(text) => text.as_bytes(),
            RawMessage::Binary(bytes) => bytes,
        };
        read_json(json)
    }
}

impl FromMessage for RawMessage {
    fn from_message(message: RawMessage) -> Result<RawMessage, String> {
        Ok(message)
    }
}

/// Reads the JSON of a message.
pub(crate) fn read_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    decode::json("message", json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Post {
        text: String,
    }

    #[test]
    fn json_comes_in_text_or_bytes_and_mistakes_are_named() {
        let post = Post { text: "hi".to_owned() };
        let json = r#"{"text":"hi"}"#;
        assert_eq!(Post::from_message(RawMessage::Text(json.to_owned())).unwrap(), post);
        assert_eq!(Post::from_message(RawMessage::Binary(json.into())).unwrap(), post);
        let error =
            |json: &'static [u8]| Post::from_message(RawMessage::Binary(json.into())).unwrap_err();
        assert_eq!(error(b"{}"), "message: missing field `text` at line 1 column 2");
        assert_eq!(
            error(br#"{"text":1}"#),
            "message: field `text`: invalid type: integer `1`, expected a string at line 1 column 9"
        );
        assert_eq!(
            error(br#"{"text":"hi"} {}"#),
            "message: trailing characters at line 1 column 15"
        );
        assert!(error(b"\xff").starts_with("message: "));
    }

    #[test]
    fn numbers_are_read_to_their_last_digit() {
        for number in [117.63331139400017, 0.37661826488242445, 1.5777777777770001, 5e-324] {
            let json = || RawMessage::Text(format!("{number:?}"));
            assert_eq!(f64::from_message(json()), Ok(number));
            let value = serde_json::Value::from_message(json()).unwrap();
            assert_eq!(value.as_f64(), Some(number));
        }
    }
}
