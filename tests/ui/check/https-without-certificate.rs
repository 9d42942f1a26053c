use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443";
    endpoint wss "127.0.0.1:8444" { certificate: self_signed() };
}

fn main() {
    example();
}
