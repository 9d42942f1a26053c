use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = "/rooms/:room";
}

fn main() {
    example();
    let _ = ROOM;
}
