//! A page over TLS; key and certificate are in the wrong order.

use pode::prelude::*;

pode_server! {
    server safe;
    endpoint https "*:8443" { certificate: pem("files/certificates/key.pem", "files/certificates/chain.pem") };
    route GET "/" => async |_| text("hello");
}

fn main() -> pode::Result {
    safe().run_blocking()
}
