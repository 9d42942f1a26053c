use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8090";
    signal CHAT: String = "/chat";
    on message CHAT => say;
}

async fn say(_: SignalEvent<String>) {}

fn main() {
    example();
}
