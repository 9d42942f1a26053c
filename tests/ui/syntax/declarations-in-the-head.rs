use pode::prelude::*;

pode_server! {
    server example {
        endpoint http "127.0.0.1:8090";
        route GET "/" => async |_| text("hello");
    }
}

fn main() {
    example();
}
