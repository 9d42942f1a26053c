//! A signal of prices; the option's value was written in lower case.

use pode::prelude::*;

pode_server! {
    server prices;
    endpoint ws 8090;
    signal PRICE: f64 = "/price" { on_lag: latest };
}

fn main() -> pode::Result {
    prices().run_blocking()
}
