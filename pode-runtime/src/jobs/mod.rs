//! Timers and schedules.

mod calendar;
pub(crate) mod gate;
pub(crate) mod job;
pub(crate) mod running;
pub(crate) mod schedule;
pub(crate) mod timer;
