use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" { certificate: self_signed() };
    endpoint wss "127.0.0.1:8443" { certificate: pem("chain.pem", "key.pem").at_run_time() };
}

fn main() {
    example();
}
