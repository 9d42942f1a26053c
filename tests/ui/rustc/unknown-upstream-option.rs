use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 = "wss://feed.example" { reconect_delay: 2s } => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    let _ = (example(), PRICES);
}
