use pode::prelude::*;

struct Message;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: Message = "/";
}

fn main() {
    example();
}
