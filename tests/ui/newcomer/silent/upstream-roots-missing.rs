//! Prices of another server, whose authority is named by a file that isn't there.
//! The server doesn't start, and says why.

use pode::prelude::*;

pode_server! {
    server relay;
    upstream FEED: String = "wss://feed.example/prices" { roots: roots_of("root.pem") } => hear;
}

async fn hear(_: UpstreamEvent, message: String) {
    println!("{message}");
}

fn main() -> pode::Result {
    relay().run_blocking()
}
