use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 = "wss://feed.example" => async |event, _| event.reply(&"hello").await;
}

fn main() {
    example();
}
