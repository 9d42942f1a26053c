//! The model of shared values.

use super::{Head, Name};

/// A value that handlers share.
#[derive(Debug)]
pub struct State {
    /// The parts that every declaration has.
    pub head: Head,
    /// The name, which is that of its constant.
    pub name: Name,
}
