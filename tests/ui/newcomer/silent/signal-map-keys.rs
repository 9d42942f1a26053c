//! The state of a board; the map's keys can't be written as JSON.
//! Each send fails, and the log says why. Which keys JSON can write is known only when they are written.

use std::collections::BTreeMap;

use pode::prelude::*;

pode_server! {
    server board;
    endpoint ws 8090;
    signal BOARD: BTreeMap<(u8, u8), u8> = "/board";
    timer "show" every 1s => show;
}

async fn show(event: TimerEvent) -> Result<(), SendError> {
    event.send(BOARD, &BTreeMap::from([((1, 2), 3)])).await
}

fn main() -> pode::Result {
    board().run_blocking()
}
