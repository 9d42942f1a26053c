//! A chat; the two types of the signal are in the wrong order.
//! Told 2 times: at the handler and at the send.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: Message -> Post = "/chat" => say;
}

#[derive(Deserialize, Serialize)]
struct Post {
    text: String,
}

#[derive(Deserialize, Serialize)]
struct Message {
    text: String,
}

async fn say(event: SignalEvent<Message>, post: Post) -> Result<(), SendError> {
    event.send(CHAT, &Message { text: post.text }).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
