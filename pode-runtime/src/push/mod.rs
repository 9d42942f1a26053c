//! From a message to its subscribers: the publisher, and the engine with its shards.

pub mod clients;
pub(crate) mod engine;
pub mod publisher;
pub(crate) mod raw_message;
pub(crate) mod session;
