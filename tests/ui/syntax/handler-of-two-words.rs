use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 5s => tick tock;
}

async fn tick(_: TimerEvent) {}

fn main() {
    example();
}
