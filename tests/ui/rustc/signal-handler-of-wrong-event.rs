use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: u8 -> String = "/" => chat;
}

async fn chat(_: SignalEvent<u8>, _: u8) {}

fn main() {
    let _ = example();
}
