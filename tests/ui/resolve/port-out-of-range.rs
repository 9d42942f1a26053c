use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:80900";
}

fn main() {
    example();
}
