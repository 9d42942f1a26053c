pub mod client_ids;
pub mod event;
pub(crate) mod state;
