use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String = "/";
    signal CHAT: String = "/chat";
}

fn main() {
    example();
    let _ = CHAT;
}
