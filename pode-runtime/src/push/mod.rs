//! Messages, from `send` to their subscribers' sockets.
//!
//! `publisher/` encodes a payload and puts it into the channel of its path;
//! `clients` sends queries and commands the same way. `engine/` delivers. `session` is
//! what the engine knows of the code that handles a client's messages, and
//! `raw_message` a message that isn't JSON. `wire` makes bytes of envelopes, for other
//! processes.

pub mod clients;
pub(crate) mod engine;
pub mod publisher;
pub(crate) mod raw_message;
pub(crate) mod session;
#[cfg(unix)]
pub(crate) mod wire;
