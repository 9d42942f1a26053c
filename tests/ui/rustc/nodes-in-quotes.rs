use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 5s { on: "one" } => async |_| {};
}

fn main() {
    let _ = example();
}
