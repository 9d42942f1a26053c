//! What handlers see: `event/` has an event for each noun with a handler, `state` the
//! declared values, `client_ids` the ids by which clients are known. `context` is
//! what all events of a server share, and `uncancelled` has their
//! handlers run to their end. `presence` is what clients are told of each other.
//! `readiness` is what keeps a server from getting clients, and `catch_up` what keeps a
//! client waiting that comes from a process which has read more.

pub(crate) mod catch_up;
pub mod client_ids;
pub(crate) mod context;
pub mod event;
pub(crate) mod presence;
pub(crate) mod readiness;
pub(crate) mod sequences;
pub(crate) mod state;
pub(crate) mod tickets;
pub(crate) mod uncancelled;
