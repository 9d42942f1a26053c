use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint inner http "127.0.0.1:9090";
    operations { endpoint: iner };
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
