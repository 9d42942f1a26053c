use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8090";
    signal CHAT: String = "/chat" { max_clients: 0 };
}

fn main() {
    example();
}
