use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal PRICES: String = "/prices" { history_messages: 20, latest_by: |event, text| text.len() };
    signal NAMES: String = "/names" { history_messages: 20, latest_by: name };
}

fn main() {
    let _ = (example(), PRICES, NAMES);
}
