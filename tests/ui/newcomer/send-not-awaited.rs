//! A message to everyone; the send isn't awaited.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint http 8090;
    endpoint ws 8090;
    signal CHAT: String = "/chat";
    route POST "/chat" (body: String) => say;
}

async fn say(event: WebEvent, body: String) {
    event.send(CHAT, &body);
}

fn main() -> pode::Result {
    chat().run_blocking()
}
