use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8090";
    signal CHAT: String = "ws://localhost:8090/chat";
}

fn main() {
    example();
}
