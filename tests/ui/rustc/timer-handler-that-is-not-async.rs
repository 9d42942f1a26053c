use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 5s => sample;
}

fn sample(_: TimerEvent) {}

fn main() {
    example();
}
