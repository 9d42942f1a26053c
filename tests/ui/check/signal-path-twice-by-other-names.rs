use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = "/rooms/:room" (room: String);
    signal PLACE: u8 = "/rooms/:place" (place: u8);
}

fn main() {
    let _ = (example(), ROOM, PLACE);
}
