//! Names of clients; the value kept with each has another type than is asked for.
//! The client gets an error for each message, and the log says why. The type is chosen at run time.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: String -> String = "/chat" => say;
    on connect CHAT => enter;
}

struct Guest {
    name: String,
}

async fn enter(event: ConnectEvent<String>) -> Result<(), EventError> {
    let name = event.cookie("name").ok_or(EventError::new(401, "who are you?"))?;
    event.set_state(name);
    Ok(())
}

async fn say(event: SignalEvent<String>, text: String) -> Result<(), EventError> {
    let name = event.client().state::<Guest>()?.name.clone();
    event.reply(&format!("{name}: {text}")).await.map_err(|_| EventError::new(500, "lost"))
}

fn main() -> pode::Result {
    chat().run_blocking()
}
