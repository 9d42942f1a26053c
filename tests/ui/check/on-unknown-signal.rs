use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String = "/";
    on connect CHAAT => greet;
}

async fn greet() {}

fn main() {
    let _ = (example(), CHAT);
}
