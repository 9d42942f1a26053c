//! A signal at `/chat`; its path was written as a URL.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT: String = "ws://localhost:8090/chat";
}

fn main() -> pode::Result {
    chat().run_blocking()
}
