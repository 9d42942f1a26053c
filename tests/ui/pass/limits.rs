//! Limits: valid code that is close to a mistake.

#![deny(warnings)]

use pode::Limits;
use pode::prelude::*;

const NOBODY: usize = 0;

struct Settings {
    limits: Limits,
    head_seconds: u64,
}

fn narrow() -> Limits {
    let mut limits = Limits::default();
    limits.max_body_bytes = 4096;
    limits
}

pode_server! {
    server limited(settings: Settings) {
        limits: Limits { max_connections: 10_000, head_timeout: 5s, max_body_bytes: 1 << 20 },
    };
    // PODE120: each limit applies to its protocol.
    endpoint inner http "*:8090" {
        limits: Limits { max_upload_bytes: 1 << 30, min_bytes_per_second: 0 },
    };
    // PODE122: one address, but each limit is named once.
    endpoint outer ws "*:8090" {
        limits: Limits { head_timeout: std::time::Duration::from_secs(settings.head_seconds) },
    };
    endpoint http "*:8091" { limits: settings.limits };
    endpoint https "*:8443" {
        certificate: self_signed(),
        limits: pode::Limits { tls_timeout: 3s },
    };
    endpoint ws 8092 { limits: Limits { min_bytes_per_second: 100 } };
    // PODE121: a whole value is completed where it is made.
    route POST "/notes" (form: Vec<(String, String)>) { limits: narrow() } => async |_, _| ();
    route PUT "/notes" (body: String) { limits: Limits { max_body_bytes: 4096 }, endpoint: inner } => async |_, _| ();
    route POST "/photos" (multipart: Multipart) {
        limits: Limits { max_upload_bytes: 1 << 30, body_timeout: 2min },
    } => async |_, _| ();
    // PODE123: 0 where it means that there is none, or a value.
    signal NEWS: String = "/news" { endpoint: outer, messages_per_second: 0, max_clients: NOBODY };
    signal ALL: String = "/all";
}

#[test]
fn can_be_made() {
    let settings = Settings { limits: narrow(), head_seconds: 5 };
    let _ = (limited(settings), NEWS, ALL);
}
