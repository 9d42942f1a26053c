//! An order to another server; it was sent as if to a signal.

use pode::prelude::*;

pode_server! {
    server relay;
    endpoint http 8090;
    upstream FEED: String -> String = "wss://feed.example/prices" => hear;
    route POST "/orders" (body: String) => order;
}

async fn hear(_: UpstreamEvent<String>, message: String) {
    println!("{message}");
}

async fn order(event: WebEvent, order: String) -> Result<(), SendError> {
    event.send(FEED, &order).await
}

fn main() -> pode::Result {
    relay().run_blocking()
}
