//! Timers as meant.

use super::{Head, Name};

/// What is done again and again, at an interval.
#[derive(Debug)]
pub struct Timer {
    /// What every declaration has.
    pub head: Head,
    /// The name, by which the log calls it.
    pub name: Name,
}
