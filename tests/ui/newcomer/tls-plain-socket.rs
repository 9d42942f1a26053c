//! A page that listens, over TLS; its script opens a plain WebSocket.

use pode::prelude::*;

pode_server! {
    server safe;
    endpoint https "*:8443" { certificate: self_signed() };
    endpoint wss "*:8443";
    views "files/newcomer/tls-plain-socket";
    signal NEWS: String = "/news";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    safe().run_blocking()
}
