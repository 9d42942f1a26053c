//! A message as it is found where it is kept, and the order of those from two places.

use std::sync::Arc;

/// A message as it is kept.
#[derive(Debug)]
pub struct Stored<'log, A> {
    /// Its number.
    pub number: u64,
    /// When it was sent.
    pub sent: u32,
    /// Absent if it is for everyone.
    pub audience: Option<&'log Arc<A>>,
    /// Its key, if it has one.
    pub key: Option<&'log Arc<str>>,
    /// The message as it was sent; empty if its key was removed.
    pub frame: &'log [u8],
}

impl<A> Stored<'_, A> {
    /// Whether it comes before another one.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.number < other.number
    }
}

/// Joins two sequences that are sorted.
pub(super) fn merged<T>(
    one: impl Iterator<Item = T>,
    other: impl Iterator<Item = T>,
    is_first: impl Fn(&T, &T) -> bool,
) -> impl Iterator<Item = T> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if is_first(second, first) => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}
