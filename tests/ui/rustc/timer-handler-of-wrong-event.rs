use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every 5s => nightly;
}

async fn nightly(_: ScheduleEvent) {}

fn main() {
    example();
}
