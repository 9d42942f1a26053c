use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "localhost", 8090;
    route GET "/" => async |_| text("hello");
}

fn main() {
    example();
}
