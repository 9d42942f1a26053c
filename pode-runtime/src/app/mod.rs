//! What handlers see: events, state, and the ids of clients.

pub mod client_ids;
pub(crate) mod context;
pub mod event;
pub(crate) mod state;
