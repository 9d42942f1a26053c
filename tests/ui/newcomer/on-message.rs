//! A chat; messages of clients were to be handled by `on message`.
//! Told 2 times: the message lacks a handler, and there is no such event.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: String -> String = "/chat";
    on message CHAT => say;
}

async fn say(event: SignalEvent<String>, message: String) -> Result<(), SendError> {
    event.send(CHAT, &message).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
