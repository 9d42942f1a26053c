use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 -> u32 = "wss://feed.example/prices" { onconnect: subscribe } => on_tick;
}

async fn subscribe(event: UpstreamEvent<u32>) -> Result<(), UpstreamError> {
    event.reply(&1).await
}

async fn on_tick(_: UpstreamEvent<u32>, _: f64) {}

fn main() {
    let _ = (example(), PRICES);
}
