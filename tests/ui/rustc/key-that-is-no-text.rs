use pode::prelude::*;

#[derive(Serialize)]
struct Symbol(String);

#[derive(Serialize)]
struct Tick {
    symbol: Symbol,
}

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal PRICES: Tick = "/prices" { history_messages: 20, latest_by: |tick| &tick.symbol };
}

fn main() {
    let _ = (example(), PRICES);
}
