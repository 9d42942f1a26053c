pub mod clients;
pub(crate) mod engine;
pub mod publisher;
