//! The base of all layers.
//!
//! `error` has the errors of a start and of handlers, `limits` the bounds of what
//! clients may ask for, `function` what a handler may take and `outcome` what it may
//! return. `log/` writes to the terminal without ever waiting; `trouble` limits how often
//! a condition is logged, `token_bucket` how often anything happens. `supervisor` restarts
//! tasks that panic, `watchdog` is for handlers that block their threads. `seconds` is the
//! age of messages, `clock` the wall clock, as an input, `random` chance. `debug_form` shows types in
//! errors and logs, `one_line` texts.

#[cfg(any(feature = "schedule", feature = "tls"))]
pub(crate) mod clock;
pub(crate) mod count;
pub(crate) mod debug_form;
pub(crate) mod error;
pub mod function;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod one_line;
pub mod outcome;
pub(crate) mod random;
pub(crate) mod seconds;
pub(crate) mod supervisor;
pub(crate) mod token_bucket;
pub(crate) mod trouble;
pub(crate) mod watchdog;
