//! Client ids: the names of connections.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use uuid::{NoContext, Timestamp, Uuid};

/// The most characters of a [`ClientId`].
pub const MAX_CLIENT_ID_BYTES: usize = 128;

/// The name of one connection to a signal.
///
/// From 1 to 128 visible ASCII characters, since it travels in headers. No two
/// connections to a signal have the same id at a time. Cloning is cheap. In
/// JSON it is a string, so messages may contain it.
///
/// ```
/// # use pode_core as pode;
/// use pode::ClientId;
///
/// let id: ClientId = "ada".parse().unwrap();
/// assert_eq!(id.to_string(), "ada");
/// assert!("ada lovelace".parse::<ClientId>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Form);

/// Ids that the server makes need no allocation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    /// In lower case, with hyphens: any other spelling is a text.
    Uuid(Uuid),
    Text(Arc<str>),
}

/// A text is not a [`ClientId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client id has from 1 to 128 visible ASCII characters")]
pub struct ClientIdError;

impl ClientId {
    /// Makes a unique id that can't be guessed: a UUID of version 7 (RFC 9562,
    /// section 5.7), of which 74 bits are random each time. The others are the
    /// time; ids of one millisecond have no order.
    pub fn new() -> ClientId {
        // `Uuid::now_v7` would count within a millisecond: whoever has an id
        // would know 42 bits of the next one.
        ClientId(Form::Uuid(Uuid::new_v7(Timestamp::now(NoContext))))
    }
}

impl Default for ClientId {
    fn default() -> ClientId {
        ClientId::new()
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(written: &str) -> Result<ClientId, ClientIdError> {
        let fits = (1..=MAX_CLIENT_ID_BYTES).contains(&written.len());
        if !fits || !written.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientIdError);
        }
        let uuid = written.parse().ok().map(|uuid| ClientId(Form::Uuid(uuid)));
        let same = uuid.filter(|uuid| uuid.to_string() == written);
        Ok(same.unwrap_or_else(|| ClientId(Form::Text(written.into()))))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Uuid(uuid) => uuid.hyphenated().fmt(f),
            Form::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({:?})", self.to_string())
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClientId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_stand_in_a_header() {
        let longest = "x".repeat(MAX_CLIENT_ID_BYTES);
        for sound in ["a", "s:1.x=", &longest] {
            assert_eq!(sound.parse::<ClientId>().unwrap().to_string(), sound);
        }
        for unsound in ["", " ", "a b", "ü", "a\r\n", "a\0", &format!("{longest}x")] {
            assert_eq!(unsound.parse::<ClientId>(), Err(ClientIdError), "{unsound:?}");
        }
    }

    #[test]
    fn an_id_is_known_again_by_its_text() {
        let id = ClientId::new();
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        let other = id.to_string().to_uppercase();
        assert_eq!(other.parse::<ClientId>().unwrap().to_string(), other);
        assert_ne!(ClientId::new(), id);
        assert_eq!(&id.to_string()[14..15], "7");
    }

    #[test]
    fn ids_of_one_moment_have_nothing_but_the_time_in_common() {
        // The first of the random bits; a counter would begin with them.
        let beginnings = (0..1000).map(|_| ClientId::new().to_string()[15..23].to_owned());
        let different = beginnings.collect::<std::collections::HashSet<_>>();
        assert!(different.len() > 990, "{} of 1000", different.len());
    }

    #[test]
    fn messages_bear_an_id_as_a_string() {
        let ada: ClientId = "ada".parse().unwrap();
        assert_eq!(serde_json::to_string(&ada).unwrap(), r#""ada""#);
        assert_eq!(serde_json::from_str::<ClientId>(r#""ada""#).unwrap(), ada);
        let error = serde_json::from_str::<ClientId>(r#""ada lovelace""#).unwrap_err();
        assert!(error.to_string().starts_with(&ClientIdError.to_string()), "{error}");
    }
}
