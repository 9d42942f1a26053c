//! Timers and schedules.

mod calendar;
pub(crate) mod job;
pub(crate) mod running;
pub(crate) mod schedule;
pub(crate) mod timer;
