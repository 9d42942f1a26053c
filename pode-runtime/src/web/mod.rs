//! Routes: `route` makes a warp filter of a handler, `argument/` its arguments of a
//! request, `reply/` a response of what it returns, and `view` one of a template.
//! `client_module` serves the script by which pages listen to signals.

pub mod argument;
pub(crate) mod client_module;
pub mod reply;
pub mod route;
#[cfg(feature = "views")]
pub(crate) mod view;
