//! A gate for each client; the handler takes the event of a route.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: String = "/chat";
    on connect CHAT => enter;
}

async fn enter(event: WebEvent) -> Result<(), EventError> {
    event.cookie("name").ok_or(EventError::new(401, "who are you?"))?;
    Ok(())
}

fn main() -> pode::Result {
    chat().run_blocking()
}
