use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    state VISITS: u32 = 1;
    state VISITS: u64 = 2;
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
