//! Certificates: what is almost a mistake, and isn't.

#![deny(warnings)]

use pode::Certificate;
use pode::prelude::*;

pode_server! {
    server example(settings: Settings);
    // PODE050, PODE051: one of two at an address names it.
    endpoint https "127.0.0.1:8443" { certificate: self_signed() };
    endpoint wss   "127.0.0.1:8443";
    // PODE052, PODE053, PODE055, PODE056: the same twice; files of the machine
    // where it will run.
    endpoint https "*:9443" {
        certificate: pfx("/etc/pode/pode.pfx", password_from_env("PASSWORD")).at_run_time(),
    };
    endpoint wss   "*:9443" {
        certificate: pfx("/etc/pode/pode.pfx", password_from_env("PASSWORD")).at_run_time(),
    };
    // PODE054: a chain is a PEM file of certificates.
    endpoint https "*:9444" { certificate: pem("files/certificates/chain.pem", "files/certificates/key.pem") };
    // PODE056: advice can be silenced.
    #[allow(deprecated)]
    endpoint https "*:9445" { certificate: pfx("pode.pfx", "for tests").at_run_time() };
    endpoint https settings.address { certificate: settings.certificate };
    // The next has the same address, for all that the compiler knows.
    endpoint wss   8444 + 1;
    signal NEWS: String = "/";
    route GET "/" => async |_| text("hello");
}

struct Settings {
    address: String,
    certificate: Certificate,
}

fn main() {
    let certificate = pode::certificate::pem("chain.pem", "key.pem");
    let _ = example(Settings { address: "127.0.0.1:0".into(), certificate });
    let _ = NEWS;
}
