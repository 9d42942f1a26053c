use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 5s => sample;
}

async fn sample(_: TimerEvent) -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

fn main() {
    example();
}
