use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "*:8090";
    endpoint ws "127.0.0.1:8090";
}

fn main() {
    example();
}
