use pode::prelude::*;

pode_server! {
    server example;
    endpoint outer http "127.0.0.1:8090";
    endpoint outer http "127.0.0.1:8091";
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
