use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 = "https://feed.example/prices" => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    let _ = (example(), PRICES);
}
