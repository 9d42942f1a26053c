//! Routes: their arguments and replies.

pub mod argument;
pub mod reply;
pub mod route;
