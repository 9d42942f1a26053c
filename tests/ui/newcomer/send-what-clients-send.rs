//! A chat; the client's own message was sent on instead of the signal's type.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: Post -> Message = "/chat" => say;
}

#[derive(Deserialize, Serialize)]
struct Post {
    text: String,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

async fn say(event: SignalEvent<Message>, post: Post) -> Result<(), SendError> {
    event.send(CHAT, &post).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
