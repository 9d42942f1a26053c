use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" (String) => take;
}

async fn take(_: WebEvent, _: String) {}

fn main() {
    example();
}
