use pode::prelude::*;

pode_server! {
    server example { limits: Limits { head_timeout: 5s, ..Default::default() } };
    endpoint http "127.0.0.1:8090";
    route GET "/" => async |_| text("hello");
}

fn main() {
    example();
}
