//! Client ids: the names of connections.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The most characters of a [`ClientId`].
pub const MAX_CLIENT_ID_BYTES: usize = 128;

/// The name of one connection to a signal.
///
/// From 1 to 128 visible ASCII characters, since it travels in headers. No two
/// connections to a signal have the same one at a time. Cloning is cheap.
///
/// ```
/// use pode_core::ClientId;
///
/// let id: ClientId = "ada".parse().unwrap();
/// assert_eq!(id.as_str(), "ada");
/// assert!("ada lovelace".parse::<ClientId>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Arc<str>);

/// A text is no [`ClientId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client id has from 1 to 128 visible ASCII characters")]
pub struct ClientIdError;

impl ClientId {
    /// Returns the id as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(written: &str) -> Result<ClientId, ClientIdError> {
        let fits = (1..=MAX_CLIENT_ID_BYTES).contains(&written.len());
        if fits && written.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(ClientId(written.into()))
        } else {
            Err(ClientIdError)
        }
    }
}

/// So that ids are found by their text.
impl Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_stand_in_a_header() {
        let longest = "x".repeat(MAX_CLIENT_ID_BYTES);
        for sound in ["a", "s:1.x=", &longest] {
            assert_eq!(sound.parse::<ClientId>().unwrap().as_str(), sound);
        }
        for unsound in ["", " ", "a b", "ü", "a\r\n", "a\0", &format!("{longest}x")] {
            assert_eq!(unsound.parse::<ClientId>(), Err(ClientIdError), "{unsound:?}");
        }
    }
}
