use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "::1:8090";
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
