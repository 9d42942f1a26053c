use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" { certificate: pem("READM.md", "README.md") };
}

fn main() {
    example();
}
