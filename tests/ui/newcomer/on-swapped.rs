//! A greeting for each client; signal and event are in the wrong order.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: String = "/chat";
    on CHAT connect => greet;
}

async fn greet(event: ConnectEvent<String>) -> Result<(), EventError> {
    event.greet(&"hello".to_owned())
}

fn main() -> pode::Result {
    chat().run_blocking()
}
