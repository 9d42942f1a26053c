//! RFC 6455 as far as it concerns a server, over real sockets: the bytes
//! received, and the bytes expected in return.
//!
//! Each test is named after the correct behaviour, and quotes the standard's
//! section. Most are tables: what a client sends, and what it receives, to the
//! last frame and its close code. Every row is sent at once, and byte by byte.
//! The frames that a client receives are checked against the standard, too: see
//! [`wire`].
//!
//! The frame decoder and the handshake have tests of their own, with many more
//! streams and no sockets: `pode-core/tests/corpus/frames/` and
//! `pode-runtime/tests/corpus/handshakes/`.

#![allow(clippy::unwrap_used, reason = "what was expected and isn't there fails the test")]

mod client;
mod wire;

mod closing;
mod control;
mod fragments;
mod framing;
mod limits;
mod opening;
mod utf8;

use std::sync::Arc;

use pode::prelude::*;
use pode::{RawMessage, RunningServer};
use tokio::sync::Semaphore;

/// Lets one message of a slow signal through at a time.
struct Gate(Arc<Semaphore>);

pode_server! {
    server conformance(gate: Arc<Semaphore>);
    endpoint ws "127.0.0.1:0" { hosts: ["server.example.com"] };
    state GATE: Gate = Gate(gate);
    signal ECHO: RawMessage -> RawMessage = "/echo" { max_message_bytes: 100_000 } => echo;
    signal SHORT: RawMessage -> RawMessage = "/short" { max_message_bytes: 100 } => echo;
    signal SLOW: RawMessage -> RawMessage = "/slow" => echo_slowly;
    #[allow(dead_code, reason = "nobody sends to it")]
    signal NEWS: String = "/news";
}

async fn echo(event: SignalEvent<RawMessage>, message: RawMessage) -> Result<(), SendError> {
    event.reply(&message).await
}

async fn echo_slowly(
    event: SignalEvent<RawMessage>,
    message: RawMessage,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    event.state(GATE).0.acquire().await?.forget();
    Ok(event.reply(&message).await?)
}

async fn start() -> RunningServer {
    start_with(Arc::new(Semaphore::new(0))).await
}

async fn start_with(gate: Arc<Semaphore>) -> RunningServer {
    conformance(gate).start().await.expect("the server starts")
}
