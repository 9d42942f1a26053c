//! Memory, as the allocator counts it: what a server holds comes from the
//! clients that it has, not from those that it had.
//!
//! How much of it the system has given to the process depends on which clients
//! came at the same time, so that is no measure.

#![allow(clippy::unwrap_used, reason = "what was expected and isn't there fails the test")]

mod after_peak;
mod history;
#[cfg(target_os = "linux")]
mod secrets;
#[allow(dead_code, unused_imports, reason = "the tests of `behavior` need more of it")]
#[path = "../support/mod.rs"]
mod support;
mod visits;
mod waiting;

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use cap::Cap;
use tokio::runtime::Runtime;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Runs a test while no other one has even a runtime: the tests share the allocator.
fn alone(test: impl Future<Output = ()>) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    Runtime::new().unwrap().block_on(test);
}
