use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" => index { origins: AnyPage };
}

async fn index(_: WebEvent) {}

fn main() {
    example();
}
