use pode::prelude::*;

pode_server! {
    server example;
    upstream FEED: f64 = "wss://feed.example" { on_connect: async |_| {}, on_connect: async |_| {} } => async |_, _| {};
}

fn main() {
    example();
}
