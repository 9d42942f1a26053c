//! Signal paths: the names under which payloads travel to clients.
//!
//! A path is validated once, when it is made, so the hub and the router may
//! rely on its form. Nothing here knows about sockets.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::latest_by::{KeyOf, LatestBy};
use crate::level::{self, Level};

/// The path on which clients receive payloads of type `Out`, and may send `In`.
///
/// Starts with `/` (which alone is a path) and is compared byte for byte:
/// `/News` and `/news` are two signals. Copying is free. `pode_server!` makes
/// one constant of this type for each `signal` declaration, so sending to an
/// undeclared signal does not compile. The third parameter is the signal's
/// widest audience: one of the [levels](level). The fourth is [`LatestBy`], if
/// messages have keys.
///
/// ```
/// # use pode_core as pode;
/// use pode::SignalPath;
///
/// const RESPONSE_TIMES: SignalPath<Vec<u32>> = SignalPath::new("/response-times");
/// assert_eq!(RESPONSE_TIMES.as_str(), "/response-times");
/// ```
pub struct SignalPath<Out, In = Nothing, L = level::Name, K = ()> {
    /// As written in the declaration, with its leading slash.
    path: &'static str,
    /// Marks the types of payloads; holds no value of them, so a path is
    /// `Send`, `Sync` and `Copy` whatever they are.
    payload: PhantomData<fn(In, L) -> Out>,
    /// How the key of a message is found. A parameter, so that other signals don't
    /// depend on it in any way.
    key: K,
}

/// The message type of clients that only listen to a signal, and of an upstream
/// that only receives.
///
/// No value of this type exists.
#[derive(Clone, Copy, Debug)]
pub enum Nothing {}

/// Satisfies the bound; no value is ever sent.
#[cfg(feature = "hub")]
impl serde::Serialize for Nothing {
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<Out, In, L> SignalPath<Out, In, L> {
    /// Makes a path; in a constant, an invalid one is a compile error.
    ///
    /// # Panics
    ///
    /// When `path` does not start with `/`, or ends with `/` after other
    /// characters.
    pub const fn new(path: &'static str) -> Self {
        let bytes = path.as_bytes();
        assert!(!bytes.is_empty() && bytes[0] == b'/', "a signal path must start with `/`");
        assert!(
            bytes.len() == 1 || bytes[bytes.len() - 1] != b'/',
            "a signal path must not end with `/`"
        );
        SignalPath { path, payload: PhantomData, key: () }
    }

    /// Gives each message a key: of those with the same key, only the newest is kept.
    pub const fn latest_by(self, key: fn(&Out) -> String) -> SignalPath<Out, In, L, LatestBy<Out>> {
        SignalPath { path: self.path, payload: PhantomData, key: LatestBy::new(key) }
    }
}

impl<Out, In, L, K> SignalPath<Out, In, L, K> {
    /// Returns the path as written, with its leading slash.
    pub const fn as_str(&self) -> &'static str {
        self.path
    }
}

/// A target for messages: a signal, or one path of a family of signals.
#[diagnostic::on_unimplemented(
    message = "messages can't be sent to `{Self}`",
    label = "not one signal",
    note = "a signal is named by its constant, `NEWS`, not by its path",
    note = "of a family, name one path by references to its parameters: `ROOM.at(&room)`",
    note = "to an upstream, `event.upstream(FEED).send(&message)` sends"
)]
pub trait SignalTarget {
    /// The payload that its clients receive.
    type Out;
    /// The payload that its clients may send.
    type In;
    /// The widest audience.
    type Level: Level;

    /// Returns the path as declared.
    fn declared_path(&self) -> &'static str;

    /// Returns the path of a family that is meant; `None` for a single signal.
    fn concrete_path(&self) -> Option<&Arc<str>>;

    /// Returns the key of a message; `None` if messages have none.
    fn key_of(&self, payload: &Self::Out) -> Option<String>;
}

/// A target whose messages have keys, as its signal is declared with `latest_by`.
#[diagnostic::on_unimplemented(
    message = "no key can be removed from `{Self}`",
    label = "not one signal whose messages have keys",
    note = "keys come from the option `latest_by` of the signal: `{{ latest_by: |message| &message.id }}`",
    note = "of a family, name one path by references to its parameters: `ROOM.at(&room)`"
)]
pub trait KeyedTarget: SignalTarget {}

#[diagnostic::do_not_recommend]
impl<Out, In, L: Level> KeyedTarget for SignalPath<Out, In, L, LatestBy<Out>> {}

/// The constant of one `signal` declaration: a path, or a family of paths.
pub trait SignalDeclaration {
    /// The payload that clients receive.
    type Out;
    /// The payload that clients may send.
    type In;

    /// Returns the path as declared.
    fn declared_path(&self) -> &'static str;
}

impl<Out, In, L, K> SignalDeclaration for SignalPath<Out, In, L, K> {
    type Out = Out;
    type In = In;

    fn declared_path(&self) -> &'static str {
        self.path
    }
}

#[diagnostic::do_not_recommend]
impl<Out, In, L: Level, K: KeyOf<Out>> SignalTarget for SignalPath<Out, In, L, K> {
    type Out = Out;
    type In = In;
    type Level = L;

    fn declared_path(&self) -> &'static str {
        self.path
    }

    fn concrete_path(&self) -> Option<&Arc<str>> {
        None
    }

    fn key_of(&self, payload: &Out) -> Option<String> {
        self.key.key_of(payload)
    }
}

// Derives would require the payload types to be `Copy` and `Debug` as well.
impl<Out, In, L, K: Copy> Clone for SignalPath<Out, In, L, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Out, In, L, K: Copy> Copy for SignalPath<Out, In, L, K> {}

impl<Out, In, L, K> fmt::Debug for SignalPath<Out, In, L, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignalPath").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A payload that is neither `Copy` nor `Send`.
    struct Payload(#[allow(dead_code)] std::rc::Rc<u8>);

    #[test]
    fn paths_are_copied_and_sent_whatever_their_payload() {
        fn needs<T: Copy + Send + Sync + 'static>(value: T) -> T {
            value
        }
        const PATH: SignalPath<Payload> = SignalPath::new("/");
        assert_eq!(needs(PATH).as_str(), "/");
    }

    #[test]
    #[should_panic(expected = "must start with `/`")]
    fn a_path_without_a_slash_is_refused() {
        SignalPath::<u8>::new("chat");
    }
}
