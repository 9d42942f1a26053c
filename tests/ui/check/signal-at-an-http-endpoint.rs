use pode::prelude::*;

pode_server! {
    server example;
    endpoint pages http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/" { endpoint: pages };
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
