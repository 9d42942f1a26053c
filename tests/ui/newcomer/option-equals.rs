//! A signal of prices; its option was written with `=`.

use pode::prelude::*;

pode_server! {
    server prices;
    endpoint ws 8090;
    signal PRICE: f64 = "/price" { on_lag = Latest };
}

fn main() -> pode::Result {
    prices().run_blocking()
}
