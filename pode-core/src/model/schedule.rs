//! The model of schedules.

use super::{Head, Name};

/// A handler that runs at times of the day and the year.
#[derive(Debug)]
pub struct Schedule {
    /// The parts that every declaration has.
    pub head: Head,
    /// The name, as in the log.
    pub name: Name,
}
