//! Whole programs, made, built and run as users do it.

#![allow(clippy::unwrap_used, reason = "what was expected and isn't there fails the test")]

mod rebuild;
mod run;
#[allow(dead_code, unused_imports, reason = "the tests of `behavior` need more of it")]
#[path = "../support/mod.rs"]
mod support;
