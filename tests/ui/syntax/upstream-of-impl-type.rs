use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: impl Sized -> u8 = "wss://feed.example/prices" => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    example();
}
