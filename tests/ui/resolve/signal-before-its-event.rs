use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8090";
    signal CHAT: String = "/chat";
    on CHAT connect => greet;
}

async fn greet(_: ConnectEvent<String>) {}

fn main() {
    example();
}
