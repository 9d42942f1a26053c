use pode::prelude::*;

pode_server! {
    server example { max_connections: 100 };
    endpoint http "127.0.0.1:8090";
    route GET "/" => async |_| text("hello");
}

fn main() {
    example();
}
