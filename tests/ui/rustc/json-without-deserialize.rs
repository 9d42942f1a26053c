use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" (json: Page) => show;
}

struct Page;

async fn show(_: WebEvent, _: Page) {}

fn main() {
    example();
}
