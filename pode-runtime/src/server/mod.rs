//! What puts a server together: declarations, dispatch, start, stop and restart.

pub(crate) mod bind;
pub mod declare;
pub(crate) mod dispatch;
pub(crate) mod embed;
pub(crate) mod error;
pub(crate) mod options;
pub(crate) mod range;
pub(crate) mod restart;
pub(crate) mod running;
pub(crate) mod start;
