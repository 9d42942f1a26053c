//! A chat; the handler's event names the type that clients send.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: Post -> Message = "/chat" => say;
}

#[derive(Deserialize)]
struct Post {
    text: String,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

async fn say(event: SignalEvent<Post>, post: Post) -> Result<(), SendError> {
    event.send(CHAT, &Message { text: post.text }).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
