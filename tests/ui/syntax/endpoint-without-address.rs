use pode::prelude::*;

pode_server! {
    server example;
    endpoint http;
}

fn main() {
    example();
}
