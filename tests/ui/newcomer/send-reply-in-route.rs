//! An answer to a request; it was sent as if to a client of a signal.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint http 8090;
    route POST "/chat" (body: String) => say;
}

async fn say(event: WebEvent, body: String) -> Result<(), SendError> {
    event.reply(&body).await
}

fn main() -> pode::Result {
    chat().run_blocking()
}
