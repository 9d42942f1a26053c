use pode::prelude::*;

pode_server! {
    server example;
    route GET "/" => async |_| text("hello");
    endpoint http "127.0.0.1:8090"
}

fn main() {
    example();
}
