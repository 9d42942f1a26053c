use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/:id" (id: u64, query: Vec<(String, String)>) => show;
}

async fn show(_: WebEvent, _: Vec<(String, String)>, _: u64) {}

fn main() {
    example();
}
