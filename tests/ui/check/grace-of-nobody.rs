use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = "/rooms/:room" (room: u32) { presence_grace: 30s };
}

fn main() {
    let _ = example();
}
