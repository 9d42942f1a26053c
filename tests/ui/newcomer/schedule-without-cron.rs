//! Something each night; the word `cron` was forgotten.

use pode::prelude::*;

pode_server! {
    server house;
    schedule "nightly" "0 0 * * *" => nightly;
}

async fn nightly(_: ScheduleEvent) {
    println!("good night");
}

fn main() -> pode::Result {
    house().run_blocking()
}
