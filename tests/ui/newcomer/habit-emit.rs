//! A chat; the handler emits an event by name, as in socket.io.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: String -> String = "/chat" => say;
}

async fn say(event: SignalEvent<String>, message: String) -> Result<(), SendError> {
    event.emit("message", &message).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
