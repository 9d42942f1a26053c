//! A signal of prices; the option's name was guessed.

use pode::prelude::*;

pode_server! {
    server prices;
    endpoint ws 8090;
    signal PRICE: f64 = "/price" { capacity: 16 };
}

fn main() -> pode::Result {
    prices().run_blocking()
}
