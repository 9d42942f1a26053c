use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint inner ws "127.0.0.1:9090";
    operations { endpoint: inner };
    signal NEWS: String = "/news";
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
