#![deny(deprecated)]

use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" {
        certificate: pem("pode.pem", "pode.key").password("secret").at_run_time(),
    };
    route GET "/" => async |_| text("hello");
}

fn main() {
    let _ = example();
}
