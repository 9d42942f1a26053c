use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" { certficate: self_signed() };
    route GET "/" => async |_| text("hello");
}

fn main() {
    example();
}
