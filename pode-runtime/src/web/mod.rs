//! Routes: `route` makes a warp filter of a handler, `argument/` its arguments of a
//! request, `reply/` a response of what it returns, and `view` one of a template.

pub mod argument;
pub mod reply;
pub mod route;
#[cfg(feature = "views")]
pub(crate) mod view;
