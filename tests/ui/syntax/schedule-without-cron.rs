use pode::prelude::*;

pode_server! {
    server example;
    schedule "nightly" every 5s => nightly;
}

async fn nightly(_: ScheduleEvent) {}

fn main() {
    example();
}
