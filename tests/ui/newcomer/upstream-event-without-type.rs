//! Prices of another server and orders to it; the event lacks the orders' type.
//! Told 2 times: at the handler and at the message.

use pode::prelude::*;

pode_server! {
    server relay;
    upstream FEED: Tick -> Order = "wss://feed.example/prices" => hear;
}

#[derive(Deserialize)]
struct Tick {
    price: f64,
}

#[derive(Serialize)]
struct Order {
    amount: u32,
}

async fn hear(event: UpstreamEvent, tick: Tick) -> Result<(), UpstreamError> {
    if tick.price < 1.0 {
        event.reply(&Order { amount: 1 }).await?;
    }
    Ok(())
}

fn main() -> pode::Result {
    relay().run_blocking()
}
