//! Something every five seconds; the interval was written in quotes.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint ws 8090;
    signal TICKS: u64 = "/ticks";
    timer "tick" every "5s" => tick;
}

async fn tick(event: TimerEvent) -> Result<(), SendError> {
    event.send(TICKS, &event.count()).await
}

fn main() -> pode::Result {
    house().run_blocking()
}
