//! Keys: what a message is the newest of.
//!
//! A signal that is declared with `latest_by` knows how to find the key of a message,
//! as a part of its constant, so that a send needs no table to look that up.

use std::fmt;

/// How many bytes a key may have.
pub const MAX_KEY_BYTES: usize = 256;

/// How the key of a message is found: a signal's option `latest_by`.
pub struct LatestBy<Out>(fn(&Out) -> String);

/// What a signal knows of keys: nothing, or how to find that of a message.
pub trait KeyOf<Out> {
    /// Returns the key of a message, if messages have keys.
    fn key_of(&self, payload: &Out) -> Option<String>;
}

impl<Out> LatestBy<Out> {
    pub(crate) const fn new(key: fn(&Out) -> String) -> LatestBy<Out> {
        LatestBy(key)
    }
}

impl<Out> KeyOf<Out> for LatestBy<Out> {
    fn key_of(&self, payload: &Out) -> Option<String> {
        Some((self.0)(payload))
    }
}

impl<Out> KeyOf<Out> for () {
    fn key_of(&self, _: &Out) -> Option<String> {
        None
    }
}

// Derives would require the same of the payload types.
impl<Out> Clone for LatestBy<Out> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Out> Copy for LatestBy<Out> {}

impl<Out> fmt::Debug for LatestBy<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LatestBy")
    }
}
