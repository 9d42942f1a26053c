use pode::prelude::*;

pode_server! {
    server example;
    schedule "nightly" cron "0 0 31 2 *" => nightly;
}

async fn nightly(_: ScheduleEvent) {}

fn main() {
    example();
}
