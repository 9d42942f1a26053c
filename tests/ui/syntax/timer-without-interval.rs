use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" => sample;
}

async fn sample(_: TimerEvent) {}

fn main() {
    example();
}
