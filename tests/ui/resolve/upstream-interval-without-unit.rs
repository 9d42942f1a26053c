use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 = "wss://feed.example" { heartbeat: 5m } => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    let _ = (example(), PRICES);
}
