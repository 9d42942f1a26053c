//! An echo: each message goes back to its sender, text as text and bytes as
//! bytes.
//!
//! Start it, and connect any WebSocket client to `ws://127.0.0.1:8092/`. Client
//! libraries are tried out against such a server, and so is this library:
//! `tests/conformance/autobahn` runs the public test cases against it.

use pode::RawMessage;
use pode::prelude::*;

pode_server! {
    /// Sends each message back to whoever sent it.
    pub server echo_server;

    endpoint ws "127.0.0.1:8092";

    // A frame travels as it is: no JSON is read or made.
    signal ECHO: RawMessage -> RawMessage = "/" {
        max_message_bytes: 16 << 20,
        // Whoever tries a client out may look at it for a while.
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
