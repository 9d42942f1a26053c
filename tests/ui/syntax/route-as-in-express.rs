use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    get "/" => index;
}

async fn index(_: WebEvent) -> impl Reply {
    text("hello")
}

fn main() {
    example();
}
