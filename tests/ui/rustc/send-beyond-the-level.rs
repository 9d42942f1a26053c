use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String -> String = "/" { level: Group } => chat;
}

async fn chat(event: SignalEvent<String>, message: String) -> Result<(), SendError> {
    event.send(CHAT, &message).await
}

fn main() {
    let _ = example();
}
