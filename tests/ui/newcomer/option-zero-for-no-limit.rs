//! A signal for any number of clients; `0` was meant as "no limit".

use pode::prelude::*;

pode_server! {
    server prices;
    endpoint ws 8090;
    signal PRICE: f64 = "/price" { max_clients: 0 };
}

fn main() -> pode::Result {
    prices().run_blocking()
}
