use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8090";
    signal CHAT: String -> String = "/chat" { max_message_bytes: 64KB } => async |_, _| ();
}

fn main() {
    example();
}
