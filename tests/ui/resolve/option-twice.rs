use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String = "/chat" { heartbeat: 30s, heartbeat: 20s };
}

fn main() {
    example();
}
