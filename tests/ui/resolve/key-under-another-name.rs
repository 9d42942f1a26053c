use pode::prelude::*;

#[derive(Serialize)]
struct Tick {
    symbol: String,
}

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal PRICES: Tick = "/prices" { history_messages: 20, key: |tick| &tick.symbol };
}

fn main() {
    let _ = (example(), PRICES);
}
