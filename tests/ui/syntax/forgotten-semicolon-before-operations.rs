use pode::prelude::*;

pode_server! {
    server example;
    endpoint inner http "127.0.0.1:9090";
    route GET "/" => async |_| text("hello")
    operations { endpoint: inner };
}

fn main() {
    let _ = example();
}
