//! Something each night; the handler takes the event of a timer.

use pode::prelude::*;

pode_server! {
    server house;
    schedule "nightly" cron "@daily" => nightly;
}

async fn nightly(_: TimerEvent) {
    println!("good night");
}

fn main() -> pode::Result {
    house().run_blocking()
}
