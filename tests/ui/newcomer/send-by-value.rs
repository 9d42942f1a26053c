//! A message to everyone; it was passed by value.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint http 8090;
    endpoint ws 8090;
    signal CHAT: String = "/chat";
    route POST "/chat" (body: String) => say;
}

async fn say(event: WebEvent, body: String) -> Result<(), SendError> {
    event.send(CHAT, body).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
