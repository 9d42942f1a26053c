//! An echo: each message goes back to its sender, text as text and bytes as
//! bytes.
//!
//! Start it, and connect any WebSocket client to `ws://127.0.0.1:8092/`. Client
//! libraries are tested against such a server, and so is this library:
//! `tests/conformance/autobahn` runs the public test cases against it.

use pode::RawMessage;
use pode::prelude::*;

pode_server! {
    /// Sends each message back to its sender.
    pub server echo_server;

    endpoint ws "127.0.0.1:8092";

    // A message is sent unchanged: no JSON is parsed or made.
    signal ECHO: RawMessage -> RawMessage = "/" {
        max_message_bytes: 16 << 20,
        // Leaves time to examine a client that is being tested.
        heartbeat: 2min,
    } => echo;
}

async fn echo(event: SignalEvent<RawMessage>, message: RawMessage) -> Result<(), SendError> {
    event.reply(&message).await
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    echo_server().run_blocking()
}
