//! Conversations: what is almost a mistake, and isn't.

#![deny(warnings)]

use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws 8091;
    // PODE110, PODE111, PODE112: a signal that is declared later; its other
    // event; and an event of what isn't there.
    on connect CHAT => greet;
    on disconnect CHAT => farewell;
    #[cfg(any())]
    on disconnect CHAT => farewell_at_length;
    signal CHAT: String = "/";
}

async fn greet(event: ConnectEvent<String>) -> Result<(), SendError> {
    event.send(CHAT, &"hello".to_owned()).await
}

async fn farewell(_: DisconnectEvent) {}

fn main() {
    let _ = (example(), CHAT);
}
