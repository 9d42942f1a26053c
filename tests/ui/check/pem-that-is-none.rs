use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" { certificate: pem("README.md", "README.md") };
}

fn main() {
    example();
}
