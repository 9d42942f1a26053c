use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = "/rooms/:room" (room: Room);
}

#[derive(Clone)]
struct Room;

fn main() {
    let _ = example();
}
