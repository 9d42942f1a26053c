use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal A: String = "/a" { replay: Last };
    signal B: String = "/b" { history_messages: 0, history_age: 1h, replay: Messages(200) };
    signal C: String = "/c" { history_bytes: 1024 };
    signal D: String = "/d" { history_messages: 20, replay: Messages(50) };
    signal E: String = "/e" { latest_by: |text| text.len() };
}

fn main() {
    let _ = example();
}
