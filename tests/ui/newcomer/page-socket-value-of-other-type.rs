//! Rooms with numbers; the page opens one by a name.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint http 8090;
    endpoint ws 8090;
    views "files/newcomer/page-socket-value-of-other-type";
    signal ROOM: String = "/rooms/:room" (room: u16);
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    house().run_blocking()
}
