//! Routes: `route` makes a warp filter of a handler, `argument/` its arguments of a
//! request, `reply/` a response of what it returns.

pub mod argument;
pub mod reply;
pub mod route;
