use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws 8091;
    signal PRICES: f64 = "/prices/:symbol" (symbol: String);
    on connect PRICES => greet;
    upstream PRICES: f64 = "wss://feed.example/prices" => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

async fn greet(_: ConnectEvent<f64>, _: String) {}

fn main() {
    let _ = (example(), PRICES);
}
