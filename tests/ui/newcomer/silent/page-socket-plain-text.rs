//! A chat of texts; the page sends them as they are, not as JSON.
//! The client gets an error, in JSON, for each message.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint http 8090;
    endpoint ws 8090;
    views "files/newcomer/page-socket-plain-text";
    signal CHAT: String -> String = "/chat" => say;
    route GET "/" => view "index";
}

async fn say(event: SignalEvent<String>, message: String) -> Result<(), SendError> {
    event.send(CHAT, &message).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
