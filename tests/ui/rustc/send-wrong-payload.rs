use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String = "/";
    route POST "/" => say;
}

async fn say(event: WebEvent) -> Result<(), SendError> {
    event.send(CHAT, &42).await
}

fn main() {
    example();
}
