use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/" => async |_| text("hello");
    route POST "/" => async |_| text("hello");
    route GET "/" => async |_| text("good bye");
}

fn main() {
    example();
}
