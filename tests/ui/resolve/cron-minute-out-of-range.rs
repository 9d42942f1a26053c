use pode::prelude::*;

pode_server! {
    server example;
    schedule "nightly" cron "61 * * * *" => nightly;
}

async fn nightly(_: ScheduleEvent) {}

fn main() {
    example();
}
