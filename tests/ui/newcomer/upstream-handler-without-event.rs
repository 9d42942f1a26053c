//! Prices of another server; the handler takes the message alone.

use pode::prelude::*;

pode_server! {
    server relay;
    upstream FEED: Tick = "wss://feed.example/prices" => hear;
}

#[derive(Deserialize)]
struct Tick {
    price: f64,
}

async fn hear(tick: Tick) {
    println!("{}", tick.price);
}

fn main() -> pode::Result {
    relay().run_blocking()
}
