//! Timers and schedules.
//!
//! A `job` is a named handler that counts how often it fired, in a context that the
//! server gives it. A `timer` fires it at an interval, a `schedule` by the wall clock,
//! whose next time `calendar` finds; both go by a `clock`, and by a `claim` where only one
//! node fires. `running` holds the tasks of all, and `gate` stops them while another
//! process takes over.

#[cfg(feature = "schedule")]
mod calendar;
pub(crate) mod claim;
pub(crate) mod clock;
pub(crate) mod gate;
pub(crate) mod job;
pub(crate) mod running;
#[cfg_attr(not(feature = "schedule"), path = "schedule_off.rs")]
pub(crate) mod schedule;
pub(crate) mod timer;
