//! The model of backplanes.

use super::{Head, Place};

/// What carries the messages of a server to its other nodes.
#[derive(Debug)]
pub struct Backplane {
    /// The parts that every declaration has.
    pub head: Head,
    /// How many messages of each signal it keeps, if that is written as a number or
    /// left out; then the place is that of its kind.
    pub kept_messages: Option<(u64, Place)>,
    /// Whether it names the authorities that it trusts, and so a file.
    pub names_roots: bool,
}
