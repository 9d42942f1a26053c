use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = "/rooms/:room" (room: String);
    signal LOBBY: String = "/:house/lobby" (house: String);
}

fn main() {
    let _ = (example(), ROOM, LOBBY);
}
