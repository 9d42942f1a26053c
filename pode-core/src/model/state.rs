//! The model of shared values.

use super::{Head, Name};

/// A value that handlers share, identified by its type.
#[derive(Debug)]
pub struct State {
    /// The parts that every declaration has.
    pub head: Head,
    /// The type as written.
    pub ty: Name,
}
