use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws 8091;
    signal PRICES: f64 = "/prices";
    upstream PRICES: f64 = "wss://feed.example/prices" => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    let _ = (example(), PRICES);
}
