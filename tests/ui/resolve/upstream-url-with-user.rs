use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 = "wss://me:secret@feed.example" => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    let _ = (example(), PRICES);
}
