//! What the decoder of client frames makes of whole conversations.
//!
//! Three kinds of streams are decoded: what a well-behaved client sends, what
//! the files of `tests/corpus/frames/` hold, and those with bytes changed. For
//! each it must not matter how the network cuts them, and another library must
//! come to the same verdict.

mod client;
mod corpus;
mod messages;
mod second_opinion;
mod stream;
