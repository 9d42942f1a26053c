use pode::prelude::*;

pode_server! {
    server example;
    schedule "nightly" cron "@daily" => nightly;
    schedule "nightly" cron "@weekly" => nightly;
}

async fn nightly(_: ScheduleEvent) {}

fn main() {
    example();
}
