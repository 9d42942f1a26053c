//! The model of timers.

use super::{Head, Name};

/// A handler that runs at an interval.
#[derive(Debug)]
pub struct Timer {
    /// The parts that every declaration has.
    pub head: Head,
    /// The name, as in the log.
    pub name: Name,
}
