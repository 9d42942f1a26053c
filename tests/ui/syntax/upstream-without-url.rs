use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 => on_tick;
}

async fn on_tick(_: UpstreamEvent, _: f64) {}

fn main() {
    example();
}
