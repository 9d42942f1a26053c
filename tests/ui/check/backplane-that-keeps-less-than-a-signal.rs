use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/news";
    backplane redis "redis://localhost" { kept_messages: 5_000 };
    signal CHAT: String = "/chat" { history_messages: 10_000 };
}

fn main() {
    let _ = (example(), NEWS, CHAT);
}
