use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String = "/";
    on connect CHAT => farewell;
}

async fn farewell(_: DisconnectEvent) {}

fn main() {
    let _ = example();
}
