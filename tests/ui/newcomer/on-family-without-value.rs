//! Rooms with a gate; the handler doesn't take the room's number.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint ws 8090;
    signal ROOM: String = "/rooms/:room" (room: u16);
    on connect ROOM => enter;
}

async fn enter(event: ConnectEvent<String>) -> Result<(), EventError> {
    event.greet(&"welcome".to_owned())
}

fn main() -> pode::Result {
    house().run_blocking()
}
