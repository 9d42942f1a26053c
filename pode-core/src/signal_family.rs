//! Families of signal paths: `/rooms/:room` is as many paths as there are rooms.

use std::fmt::{self, Display, Write};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use percent_encoding::utf8_percent_encode;

use crate::latest_by::{KeyOf, LatestBy};
use crate::level::{self, Level};
use crate::route_path::SEGMENT;
use crate::signal_path::{KeyedTarget, Nothing, SignalDeclaration, SignalTarget};

/// A value in the path of a family.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a parameter of a path",
    label = "`{Self}` is not parsed from a text and written as one",
    note = "implement `FromStr`, `Display` and `Clone` for it, or take a `String` or a number"
)]
pub trait PathParameter: FromStr<Err: Display> + Display + Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: FromStr<Err: Display> + Display + Clone + Send + Sync + 'static> PathParameter for T {}

/// A family of paths, each for its own clients.
///
/// `Parameters` is a tuple with a type for each parameter of the path.
/// [`at`](Self::at) returns one path of the family. A path needs no declaration
/// of its own, and is removed when its last client has disconnected.
/// `pode_server!` makes one constant of this type for each `signal` whose path
/// has parameters.
///
/// ```
/// # use pode_core as pode;
/// use pode::{SignalFamily, SignalTarget};
///
/// const ROOM: SignalFamily<(String,), u32> = SignalFamily::new("/rooms/:room");
/// let kitchen = ROOM.at(&"the kitchen".to_owned());
/// assert_eq!(&**kitchen.concrete_path().unwrap(), "/rooms/the%20kitchen");
/// ```
pub struct SignalFamily<Parameters, Out, In = Nothing, L = level::Name, K = ()> {
    path: &'static str,
    /// Marks the types of payloads and parameters; holds no value of them.
    payload: PhantomData<fn(Parameters, In, L) -> Out>,
    /// How the key of a message is found.
    key: K,
}

/// One path of a [`SignalFamily`].
pub struct FamilyPath<Out, In = Nothing, L = level::Name, K = ()> {
    family: &'static str,
    path: Arc<str>,
    payload: PhantomData<fn(In, L) -> Out>,
    key: K,
}

/// The possible parameters of a [`SignalFamily`]: a tuple of up to four values
/// that [`FromStr`] parses and [`Display`] writes.
pub trait Parameters: Clone + Send + Sync + 'static {
    /// Parses the values that a client requested, in their order.
    ///
    /// # Errors
    ///
    /// A sentence that says which of them is wrong and why.
    fn read(names: &[Arc<str>], values: &[String]) -> Result<Self, String>;

    /// Writes the path with these values in it.
    fn write(&self, path: &str) -> Arc<str>;
}

impl<P, Out, In, L> SignalFamily<P, Out, In, L> {
    /// Makes a family; `pode_server!` has checked the path.
    pub const fn new(path: &'static str) -> Self {
        SignalFamily { path, payload: PhantomData, key: () }
    }

    /// Gives each message a key: of those with the same key at the same path, only the
    /// newest is kept.
    pub const fn latest_by(
        self,
        key: fn(&Out) -> String,
    ) -> SignalFamily<P, Out, In, L, LatestBy<Out>> {
        SignalFamily { path: self.path, payload: PhantomData, key: LatestBy::new(key) }
    }
}

impl<P, Out, In, L, K> SignalFamily<P, Out, In, L, K> {
    /// Returns the path as declared, with its parameters: `/rooms/:room`.
    pub const fn as_str(&self) -> &'static str {
        self.path
    }

    /// Returns the path with these values.
    pub fn with(&self, parameters: &P) -> FamilyPath<Out, In, L, K>
    where
        P: Parameters,
        K: Copy,
    {
        let path = parameters.write(self.path);
        FamilyPath { family: self.path, path, payload: PhantomData, key: self.key }
    }
}

/// Writes a path with values instead of its parameters.
fn fill_in(path: &str, values: &[&dyn Display]) -> Arc<str> {
    let mut values = values.iter();
    let mut filled = String::with_capacity(path.len() + 16);
    for segment in path.split('/').skip(1) {
        filled.push('/');
        match values.as_slice().first().filter(|_| segment.starts_with(':')) {
            Some(value) => {
                filled.extend(utf8_percent_encode(&value.to_string(), SEGMENT));
                values.next();
            }
            None => filled.push_str(segment),
        }
    }
    filled.into()
}

fn read<T: FromStr<Err: Display>>(
    names: &[Arc<str>],
    values: &[String],
    index: usize,
) -> Result<T, String> {
    let value = values.get(index).map_or("", String::as_str);
    value.parse().map_err(|error| {
        let mut sentence = String::from("path parameter");
        if let Some(name) = names.get(index) {
            let _ = write!(sentence, " `{name}`");
        }
        let _ = write!(sentence, ": {error}");
        sentence
    })
}

macro_rules! parameters {
    ($($type:ident $value:ident $index:literal),+) => {
        impl<$($type),+> Parameters for ($($type,)+)
        where
            $($type: PathParameter,)+
        {
            fn read(names: &[Arc<str>], values: &[String]) -> Result<Self, String> {
                Ok(($(read::<$type>(names, values, $index)?,)+))
            }

            fn write(&self, path: &str) -> Arc<str> {
                let ($($value,)+) = self;
                fill_in(path, &[$($value),+])
            }
        }

        impl<$($type: Display,)+ Out, In, L, K: Copy> SignalFamily<($($type,)+), Out, In, L, K> {
            /// Returns the path with these values, one for each parameter.
            pub fn at(&self, $($value: &$type),+) -> FamilyPath<Out, In, L, K> {
                let path = fill_in(self.path, &[$($value),+]);
                FamilyPath { family: self.path, path, payload: PhantomData, key: self.key }
            }
        }
    };
}

/// The parameters of a path without any.
impl Parameters for () {
    fn read(_: &[Arc<str>], _: &[String]) -> Result<Self, String> {
        Ok(())
    }

    fn write(&self, path: &str) -> Arc<str> {
        path.into()
    }
}

parameters!(A a 0);
parameters!(A a 0, B b 1);
parameters!(A a 0, B b 1, C c 2);
parameters!(A a 0, B b 1, C c 2, D d 3);

impl<P, Out, In, L, K> SignalDeclaration for SignalFamily<P, Out, In, L, K> {
    type Out = Out;
    type In = In;

    fn declared_path(&self) -> &'static str {
        self.path
    }
}

#[diagnostic::do_not_recommend]
impl<Out, In, L: Level, K: KeyOf<Out>> SignalTarget for FamilyPath<Out, In, L, K> {
    type Out = Out;
    type In = In;
    type Level = L;

    fn declared_path(&self) -> &'static str {
        self.family
    }

    fn concrete_path(&self) -> Option<&Arc<str>> {
        Some(&self.path)
    }

    fn key_of(&self, payload: &Out) -> Option<String> {
        self.key.key_of(payload)
    }
}

#[diagnostic::do_not_recommend]
impl<Out, In, L: Level> KeyedTarget for FamilyPath<Out, In, L, LatestBy<Out>> {}

// Derives would require the same of the payload types.
impl<P, Out, In, L, K: Copy> Clone for SignalFamily<P, Out, In, L, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, Out, In, L, K: Copy> Copy for SignalFamily<P, Out, In, L, K> {}

impl<Out, In, L, K: Copy> Clone for FamilyPath<Out, In, L, K> {
    fn clone(&self) -> Self {
        let FamilyPath { family, ref path, payload, key } = *self;
        FamilyPath { family, path: Arc::clone(path), payload, key }
    }
}

impl<P, Out, In, L, K> fmt::Debug for SignalFamily<P, Out, In, L, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignalFamily").field(&self.path).finish()
    }
}

impl<Out, In, L, K> fmt::Debug for FamilyPath<Out, In, L, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FamilyPath").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_so_that_they_are_read_again() {
        const SEAT: SignalFamily<(String, u8), ()> = SignalFamily::new("/halls/:hall/seats/:seat");
        let path = |hall: &str| SEAT.at(&hall.to_owned(), &7).path;
        assert_eq!(&*path("red"), "/halls/red/seats/7");
        assert_eq!(&*path("a/b :c%2f"), "/halls/a%2Fb%20:c%252f/seats/7");
        assert_eq!(SEAT.with(&("red".to_owned(), 7)).path, path("red"));
    }

    #[test]
    fn what_is_read_wrongly_is_named() {
        let names = ["hall".into(), "seat".into()];
        let values = ["red".to_owned(), "seven".to_owned()];
        let error = <(String, u8)>::read(&names, &values).unwrap_err();
        assert_eq!(error, "path parameter `seat`: invalid digit found in string");
        let read = <(String, String)>::read(&names, &values).unwrap();
        assert_eq!(read, ("red".to_owned(), "seven".to_owned()));
    }
}
