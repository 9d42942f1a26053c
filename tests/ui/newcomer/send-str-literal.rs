//! A fixed text to everyone; the literal isn't a `String`.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: String = "/chat";
    timer "hello" every 5s => hello;
}

async fn hello(event: TimerEvent) -> Result<(), SendError> {
    event.send(CHAT, "hello").await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
