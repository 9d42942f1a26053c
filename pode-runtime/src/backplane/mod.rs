//! The backplane: many processes as one server.
//!
//! Each is a [`node`], whose channels follow a [`carrier`]: its `writer` appends what is
//! sent here, as an `entry` of a stream, and its `reader` puts what all nodes have sent
//! into the channels, with the numbers that the carrier gave. So all have one order, and
//! a position is good on each. `retry` tries again, for ever.

mod carrier;
mod entry;
#[cfg(test)]
mod memory;
mod node;
mod reader;
mod retry;
#[cfg(test)]
mod tests;
mod writer;
