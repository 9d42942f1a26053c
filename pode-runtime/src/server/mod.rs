//! Servers, put together.
//!
//! `declare/` collects what an expansion declares; `option_bounds` keeps
//! `options` within their bounds, `option_values` makes them of literals.
//! `bind` binds the endpoints, `start` starts everything, `dispatch` answers requests,
//! and `operations` those about the server itself.
//! `running` is a server that runs and stops, `embed` one that is a part of another
//! program, `restart/` hands over to a newer process. `error` is what a program may
//! end with.

pub(crate) mod bind;
pub mod declare;
pub(crate) mod dispatch;
pub(crate) mod embed;
pub(crate) mod error;
pub(crate) mod operations;
pub(crate) mod option_bounds;
pub mod option_values;
pub(crate) mod options;
pub(crate) mod restart;
pub(crate) mod running;
pub(crate) mod start;
#[cfg(feature = "upstream")]
mod upstream;
