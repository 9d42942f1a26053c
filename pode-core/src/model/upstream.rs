//! The model of upstreams.

use super::{Head, Name};

/// A connection to another server.
#[derive(Debug)]
pub struct Upstream {
    /// The parts that every declaration has.
    pub head: Head,
    /// The name, which is that of its constant.
    pub name: Name,
    /// Whether it names root certificates, whose files are looked up in the
    /// crate.
    pub names_roots: bool,
}
