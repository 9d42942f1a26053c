use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = "/rooms/:room" (room: u16);
    on connect ROOM => enter;
}

async fn enter(_: ConnectEvent<String>) {}

fn main() {
    let _ = example();
}
