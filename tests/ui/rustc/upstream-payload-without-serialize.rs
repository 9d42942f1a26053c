use pode::prelude::*;

pode_server! {
    server example;
    upstream PRICES: f64 -> Subscribe = "wss://feed.example" => async |_, _| {};
}

struct Subscribe;

fn main() {
    example();
}
