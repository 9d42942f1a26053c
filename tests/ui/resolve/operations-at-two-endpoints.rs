use pode::prelude::*;

pode_server! {
    server example;
    endpoint inner http "127.0.0.1:9090";
    endpoint outer http "127.0.0.1:9091";
    operations { endpoint: [inner, outer] };
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
