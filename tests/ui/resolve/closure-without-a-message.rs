use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: u8 -> String = "/rooms/:room" (room: String) => async |event, message| {};
}

fn main() {
    example();
}
