use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "[::]:8090";
    endpoint ws "[::1]:8090";
    signal NEWS: String = "/";
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
