//! What everything stands on: errors, limits, the log, clocks, and tasks that are supervised.

pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod limits;
pub(crate) mod log;
pub mod outcome;
pub(crate) mod supervisor;
pub(crate) mod trouble;
