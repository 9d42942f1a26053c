//! Something each hour; a schedule was given an interval.

use pode::prelude::*;

pode_server! {
    server house;
    schedule "hourly" every 1h => hourly;
}

async fn hourly(_: ScheduleEvent) {
    println!("ding");
}

fn main() -> pode::Result {
    house().run_blocking()
}
