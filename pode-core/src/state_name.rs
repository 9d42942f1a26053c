//! The names of states, by which handlers find them.
//!
//! Holds only a name and a type; the values are the run time's business.

use std::fmt;
use std::marker::PhantomData;

/// The name of a value of type `T` that the handlers of a server share.
///
/// Copying is free. `pode_server!` makes one constant of this type for each
/// `state` declaration, so a handler that asks for an undeclared state does not
/// compile.
///
/// ```
/// # use pode_core as pode;
/// use pode::StateName;
///
/// const VISITS: StateName<u64> = StateName::new("VISITS");
/// assert_eq!(VISITS.as_str(), "VISITS");
/// ```
pub struct StateName<T> {
    /// As written in the declaration.
    name: &'static str,
    /// Marks the type; holds no value of it, so a name is `Send`, `Sync` and
    /// `Copy` whatever it is.
    value: PhantomData<fn() -> T>,
}

impl<T> StateName<T> {
    /// Makes a name.
    pub const fn new(name: &'static str) -> Self {
        StateName { name, value: PhantomData }
    }

    /// Returns the name as written.
    pub const fn as_str(&self) -> &'static str {
        self.name
    }
}

// Derives would require the type to be `Copy` and `Debug` as well.
impl<T> Clone for StateName<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StateName<T> {}

impl<T> fmt::Debug for StateName<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateName").field(&self.name).finish()
    }
}
