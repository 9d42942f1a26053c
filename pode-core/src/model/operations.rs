//! The model of the endpoint that tells how the server is.

use super::{Head, Name};

/// Where it is told whether the server works, and may get clients; a second one is a
/// mistake.
#[derive(Debug)]
pub struct Operations {
    /// The parts that every declaration has.
    pub head: Head,
    /// The endpoint.
    pub endpoint: Name,
}
