use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 = "wss://one.example" => on_tick;
    upstream PRICES: String = "wss://other.example" => async |_, _| {};
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    let _ = (example(), PRICES);
}
