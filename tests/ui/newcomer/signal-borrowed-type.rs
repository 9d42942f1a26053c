//! A chat of texts; the type that clients send is a borrowed one.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: &str -> String = "/chat" => say;
}

async fn say(event: SignalEvent<String>, message: &str) -> Result<(), SendError> {
    event.send(CHAT, &message.to_owned()).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
