use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String -> String = "/rooms" (room: u8) => talk;
}

async fn talk(event: SignalEvent<String>, room: u8, message: String) -> Result<(), SendError> {
    event.send(ROOM.at(&room), &message).await
}

fn main() {
    let _ = example();
}
