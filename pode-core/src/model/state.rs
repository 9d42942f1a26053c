//! Shared values as meant.

use super::{Head, Name};

/// A value that handlers share, known by its type.
#[derive(Debug)]
pub struct State {
    /// What every declaration has.
    pub head: Head,
    /// The type as written.
    pub ty: Name,
}
