//! Certificates: valid code that is close to a mistake.

#![deny(warnings)]

use pode::Certificate;
use pode::prelude::*;

pode_server! {
    server example(settings: Settings);
    // PODE140: one that never is needs no feature.
    #[cfg(any())]
    endpoint https "*:9441" { certificate: self_signed() };
    // PODE050, PODE051: one of two endpoints at an address names it.
    endpoint https "127.0.0.1:8443" { certificate: self_signed() };
    endpoint wss   "127.0.0.1:8443";
    // PODE052, PODE053, PODE055, PODE056: the same twice; files of the machine
    // where the server will run.
    endpoint https "*:9443" {
        certificate: pfx("/etc/pode/pode.pfx", password_from_env("PASSWORD")).at_run_time(),
    };
    endpoint wss   "*:9443" {
        certificate: pfx("/etc/pode/pode.pfx", password_from_env("PASSWORD")).at_run_time(),
    };
    // PODE054: a chain is a PEM file of certificates.
    endpoint https "*:9444" { certificate: pem("ui/files/certificates/chain.pem", "ui/files/certificates/key.pem") };
    // PODE056: advice can be silenced.
    #[allow(deprecated)]
    endpoint https "*:9445" { certificate: pfx("pode.pfx", "for tests").at_run_time() };
    // PODE056: no literal password.
    endpoint https "*:9446" {
        certificate: pem("pode.pem", "pode.key").password(password_from_env("P")).at_run_time(),
    };
    // PODE125, PODE126: one is enough; keys of two kinds; the same name in two.
    endpoint https "*:9447" { certificate: [self_signed()] };
    endpoint https "*:9448" {
        certificate: [
            pem("ui/files/certificates/chain.pem", "ui/files/certificates/key.pem"),
            pem("ui/files/certificates/rsa.pem", "ui/files/certificates/key.pem"),
            pfx("/etc/pode/pode.pfx", password_from_env("PASSWORD")).at_run_time(),
        ],
    };
    // PODE127, PODE128: both name the same.
    endpoint https "*:9449" {
        certificate: self_signed(),
        client_certificate: optional("ui/files/certificates/chain.pem"),
    };
    endpoint wss   "*:9449" { client_certificate: optional("ui/files/certificates/chain.pem") };
    endpoint https settings.address { certificate: settings.certificate };
    // The compiler can't rule out that the next has the same address.
    endpoint wss   8444 + 1;
    signal NEWS: String = "/";
    route GET "/" => async |_| text("hello");
}

struct Settings {
    address: String,
    certificate: Certificate,
}

#[test]
fn can_be_made() {
    let certificate = pode::certificate::pem("chain.pem", "key.pem");
    let _ = example(Settings { address: "127.0.0.1:0".into(), certificate });
    let _ = NEWS;
}
