use pode::prelude::*;

pode_server! {
    server example;
    endpoint outer http "127.0.0.1:8090";
    endpoint inner http "127.0.0.1:8091";
    route GET "/" { endpoint: [outer, inner] } => async |_| text("hello");
    route GET "/" => async |_| text("nobody");
}

fn main() {
    let _ = example();
}
