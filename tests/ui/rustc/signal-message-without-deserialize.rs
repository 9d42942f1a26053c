use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: Post -> String = "/" => chat;
}

struct Post;

async fn chat(_: SignalEvent<String>, _: Post) {}

fn main() {
    let _ = example();
}
