use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/" => hello;
}

async fn hello(_: WebEvent) -> u32 {
    42
}

fn main() {
    example();
}
