use pode::prelude::*;

pode_server! {
    server example;
    endpoint http inner "127.0.0.1:9000";
    route GET "/" { endpoint: inner } => async |_| text("hello");
}

fn main() {
    example();
}
