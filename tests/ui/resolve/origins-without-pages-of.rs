use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String = "/chat" { origins: ["https://shop.example"] };
}

fn main() {
    example();
}
