use pode::prelude::*;

pode_server! {
    server example { client_id: signed_by("secret") };
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String = "/";
}

fn main() {
    let _ = example();
}
