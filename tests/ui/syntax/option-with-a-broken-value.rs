use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = "/rooms/:room" (room: String) { heartbeat: 10s +, capacity_messages: 5 };
}

pub async fn tell(event: TimerEvent) -> Result<(), SendError> {
    event.send(ROOM.at(&"kitchen".to_owned()), &"hello".to_owned()).await
}

fn main() {
    example();
}
