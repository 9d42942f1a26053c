//! A signal without heartbeats; `0s` was meant to turn them off.

use pode::prelude::*;

pode_server! {
    server prices;
    endpoint ws 8090;
    signal PRICE: f64 = "/price" { heartbeat: 0s };
}

fn main() -> pode::Result {
    prices().run_blocking()
}
