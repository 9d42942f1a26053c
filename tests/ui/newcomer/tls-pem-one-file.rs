//! A page over TLS; the key was left out.

use pode::prelude::*;

pode_server! {
    server safe;
    endpoint https "*:8443" { certificate: pem("/etc/site.pem").at_run_time() };
    route GET "/" => async |_| text("hello");
}

fn main() -> pode::Result {
    safe().run_blocking()
}
