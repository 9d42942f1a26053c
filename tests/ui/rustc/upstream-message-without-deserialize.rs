use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: Tick = "wss://feed.example" => on_tick;
}

struct Tick;

async fn on_tick(_: UpstreamEvent, _: Tick) {}

fn main() {
    example();
}
