use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal A: String = "/a" { history_messages: 20, replay: 20 };
    signal B: String = "/b" { history_messages: 20, replay: true };
    signal C: String = "/c" { history_messages: 20, replay: Last(20) };
    signal D: String = "/d" { history_messages: 20, replay: Replay::All(20) };
    signal E: String = "/e" { history_messages: 20, replay: Messages };
}

fn main() {
    let _ = example();
}
