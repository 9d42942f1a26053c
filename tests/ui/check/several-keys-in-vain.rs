use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal A: String = "/a" { level: Group, history_messages: 20, latest_by: |text| text.len() };
    signal B: String -> String = "/b" {
        history_messages: 20,
        latest_by: |text| text.len(),
        rebroadcast: Anyone,
    } => rebroadcast;
}

fn main() {
    let _ = (example(), A);
}
