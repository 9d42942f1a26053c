use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 0s => sample;
}

async fn sample(_: TimerEvent) {}

fn main() {
    example();
}
