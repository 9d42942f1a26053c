//! A signal of structs; the struct lacks `#[derive(Serialize)]`.
//! Told 2 times: at the signal and at the send.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint http 8090;
    endpoint ws 8090;
    signal CHAT: Message = "/chat";
    route POST "/chat" (body: String) => say;
}

struct Message {
    text: String,
}

async fn say(event: WebEvent, text: String) -> Result<(), SendError> {
    event.send(CHAT, &Message { text }).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
