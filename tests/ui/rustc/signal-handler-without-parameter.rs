use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String -> String = "/rooms/:room" (room: u16) => talk;
}

async fn talk(_: SignalEvent<String>, _: String) {}

fn main() {
    let _ = example();
}
