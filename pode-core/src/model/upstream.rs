//! Upstreams as meant.

use super::{Head, Name};

/// A server elsewhere that is listened to.
#[derive(Debug)]
pub struct Upstream {
    /// What every declaration has.
    pub head: Head,
    /// The name, which is that of its constant.
    pub name: Name,
    /// Whether it names root certificates, whose files are looked for in the
    /// crate.
    pub names_roots: bool,
}
