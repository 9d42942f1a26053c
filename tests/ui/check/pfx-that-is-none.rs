use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" { certificate: pfx("README.md", password_from_env("PASSWORD")) };
}

fn main() {
    example();
}
