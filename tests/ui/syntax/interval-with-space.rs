use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 5 s => sample;
}

async fn sample(_: TimerEvent) {}

fn main() {
    example();
}
