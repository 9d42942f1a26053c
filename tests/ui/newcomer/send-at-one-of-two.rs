//! A message to a seat; only one of the path's two values was given.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint ws 8090;
    signal SEAT: bool -> bool = "/halls/:hall/seats/:seat" (hall: String, seat: u8) => take;
}

async fn take(event: SignalEvent<bool>, hall: String, seat: u8, taken: bool) -> Result<(), SendError> {
    event.send(SEAT.at(&hall), &taken).await
}

fn main() -> pode::Result {
    house().run_blocking()
}
