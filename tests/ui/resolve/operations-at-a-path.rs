use pode::prelude::*;

pode_server! {
    server example;
    endpoint inner http "127.0.0.1:9090";
    operations { endpoint: inner, path: "/health" };
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
