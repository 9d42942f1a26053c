//! A chat with short messages; their size was written with a unit.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: String -> String = "/chat" { max_message_bytes: 64KB } => say;
}

async fn say(event: SignalEvent<String>, message: String) -> Result<(), SendError> {
    event.send(CHAT, &message).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
