use pode::prelude::*;

pode_server! {
    server example;
    upstream FEED: String = "wss://feed.example/" { roots: "root.pem" } => async |_, _| ();
}

fn main() {
    example();
}
