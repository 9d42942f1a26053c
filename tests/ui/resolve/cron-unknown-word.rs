use pode::prelude::*;

pode_server! {
    server example;
    schedule "nightly" cron "@houry" => nightly;
}

async fn nightly(_: ScheduleEvent) {}

fn main() {
    example();
}
