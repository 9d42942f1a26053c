//! The backplane: many processes as one server.
//!
//! Each is a [`node`], whose channels follow a [`carrier`]: its `writer` appends what is
//! sent here, as an `entry` of a stream, and its `reader` puts what all nodes have sent
//! into the channels, each from its `stream`, with the numbers that the carrier gave. So
//! all have one order, and a position is good on each. `redis` is the one that users have;
//! `retry` tries again, for ever. By `beats` nodes know who is gone, by `claims` a client's
//! numbered messages go on at another node, `presence` keeps who is there the same at all
//! of them, and `ticks` says which node fires what only one of them does. `options` are
//! what a declaration says of it, and `running` starts it with a server.

mod beats;
mod carrier;
mod claims;
mod entry;
#[cfg(test)]
mod memory;
mod node;
mod options;
mod presence;
mod reader;
mod redis;
mod retry;
mod running;
mod stream;
#[cfg(test)]
mod tests;
mod ticks;
mod writer;

pub use self::options::{Backplane, BackplaneName, BackplaneOptions, BackplaneStart};
pub(crate) use self::running::RunningBackplane;
