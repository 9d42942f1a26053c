//! Something every five minutes; the unit was written as `m`.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint ws 8090;
    signal TICKS: u64 = "/ticks";
    timer "tick" every 5m => tick;
}

async fn tick(event: TimerEvent) -> Result<(), SendError> {
    event.send(TICKS, &event.count()).await
}

fn main() -> pode::Result {
    house().run_blocking()
}
