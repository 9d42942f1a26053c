use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" { certificate: "pode.pfx" };
}

fn main() {
    example();
}
