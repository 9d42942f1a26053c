//! Tests of the decoder of client frames, with whole conversations.
//!
//! It decodes three kinds of streams: those of a well-behaved client, the files
//! of `tests/corpus/frames/`, and these files with bytes changed. For each, the
//! result must not depend on how the network cuts it, and another library must
//! come to the same verdict.

mod client;
mod corpus;
mod messages;
mod second_opinion;
mod stream;
