//! A signal of texts; its type was forgotten.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint ws 8090;
    signal CHAT = "/chat";
}

fn main() -> pode::Result {
    chat().run_blocking()
}
