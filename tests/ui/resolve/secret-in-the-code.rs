#![deny(deprecated)]

use pode::prelude::*;

pode_server! {
    server example { client_ids: signed_by("0123456789abcdef0123456789abcdef").strict() };
    endpoint ws "127.0.0.1:8091";
    signal CHAT: String = "/chat";
    on connect CHAT => async |_| ();
}

fn main() {
    let _ = example();
}
