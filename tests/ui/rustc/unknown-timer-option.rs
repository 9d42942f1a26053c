use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 5s { limt: 3 } => sample;
}

async fn sample(_: TimerEvent) {}

fn main() {
    example();
}
