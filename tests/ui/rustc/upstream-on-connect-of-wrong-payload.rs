use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 -> String = "wss://feed.example" {
        on_connect: async |event| event.reply(&5).await,
    } => async |_, _| {};
}

fn main() {
    example();
}
