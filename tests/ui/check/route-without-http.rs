use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    route GET "/" => async |_| text("hello");
    route GET "/about" => async |_| text("about");
}

fn main() {
    example();
}
