//! The names of upstreams, by which handlers send to them.
//!
//! Holds only a name, and the types of the payloads; connections are the run
//! time's business.

use std::fmt;
use std::marker::PhantomData;

/// The name of an upstream that is sent payloads of type `Sends`, and sends
/// payloads of type `Receives`.
///
/// Copying is free. `pode_server!` makes one constant of this type for each
/// `upstream` declaration, so sending to an undeclared upstream, or a payload
/// of another type, does not compile.
///
/// ```
/// # use pode_core as pode;
/// use pode::UpstreamName;
///
/// const PRICES: UpstreamName<String, f64> = UpstreamName::new("PRICES");
/// assert_eq!(PRICES.as_str(), "PRICES");
/// ```
pub struct UpstreamName<Sends, Receives> {
    /// As written in the declaration.
    name: &'static str,
    /// Marks the types of payloads; holds no value of them, so a name is
    /// `Send`, `Sync` and `Copy` whatever they are.
    payloads: PhantomData<fn(Sends) -> Receives>,
}

impl<Sends, Receives> UpstreamName<Sends, Receives> {
    /// Makes a name.
    pub const fn new(name: &'static str) -> Self {
        UpstreamName { name, payloads: PhantomData }
    }

    /// Returns the name as written.
    pub const fn as_str(&self) -> &'static str {
        self.name
    }
}

// Derives would require the payload types to be `Copy` and `Debug` as well.
impl<Sends, Receives> Clone for UpstreamName<Sends, Receives> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Sends, Receives> Copy for UpstreamName<Sends, Receives> {}

impl<Sends, Receives> fmt::Debug for UpstreamName<Sends, Receives> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UpstreamName").field(&self.name).finish()
    }
}
