use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 5s => sample;
    schedule "sample" cron "@daily" => async |_| ();
    timer "sample" every 10s => sample;
}

async fn sample(_: TimerEvent) {}

fn main() {
    example();
}
