use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 = "wss://feed.example" { roots: root_of("root.pem") } => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    let _ = (example(), PRICES);
}
