use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/" (query: Page, query: Page) => show;
}

#[derive(Deserialize)]
struct Page {}

async fn show(_: WebEvent, _: Page, _: Page) {}

fn main() {
    let _ = example();
}
