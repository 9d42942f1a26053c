use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = /rooms/:room (room: String);
    signal CHAT: String = "/chat";
}

pub async fn tell(event: TimerEvent) -> Result<(), SendError> {
    event.send(CHAT, &"hello".to_owned()).await
}

fn main() {
    example();
}
