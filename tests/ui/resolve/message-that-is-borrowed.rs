use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8090";
    signal CHAT: &str -> String = "/chat" => say;
}

async fn say(event: SignalEvent<String>, text: &str) -> Result<(), SendError> {
    event.reply(&text.to_owned()).await
}

fn main() {
    example();
}
