//! Something every five seconds; the timer has no name.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint ws 8090;
    signal TICKS: u64 = "/ticks";
    timer every 5s => tick;
}

async fn tick(event: TimerEvent) -> Result<(), SendError> {
    event.send(TICKS, &event.count()).await
}

fn main() -> pode::Result {
    house().run_blocking()
}
