//! Schedules as meant.

use super::{Head, Name};

/// What is done at times of the day and the year.
#[derive(Debug)]
pub struct Schedule {
    /// What every declaration has.
    pub head: Head,
    /// The name, by which the log calls it.
    pub name: Name,
}
