use pode::prelude::*;

pode_server! {
    server example;
    endpoint wss "127.0.0.1:8443";
}

fn main() {
    example();
}
