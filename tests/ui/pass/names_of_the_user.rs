//! The user's names that the expansion must not confuse with its own.

#![deny(warnings)]
#![allow(dead_code, non_upper_case_globals)]

mod core {}
mod std {}
struct Option;
struct Server;
struct String;
struct None;
struct SignalPath;
#[derive(::serde::Deserialize, ::serde::Serialize)]
struct Some;

pode::pode_server! {
    server built { stop_timeout: options() };
    endpoint http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:8091";
    signal NONE: Some = "/";
    route GET "/" => Ok;
    upstream FEED: Some -> Some = "wss://feed.example" { heartbeat: options() } => Err;
}

// No variable may be called like one of these.
const declared: u8 = 1;
const all: u8 = 1;
const limits: u8 = 1;

fn options() -> ::std::time::Duration {
    ::std::time::Duration::from_secs(1)
}

#[allow(non_snake_case)]
async fn Ok(event: pode::WebEvent) -> Result<(), pode::SendError> {
    event.send(NONE, &Some).await
}

#[allow(non_snake_case)]
async fn Err(event: pode::UpstreamEvent<Some>, some: Some) -> Result<(), pode::UpstreamError> {
    event.reply(&some).await
}

/// Parameters that are called like words of options.
mod parameters {
    use ::pode::certificate::Certificate;
    use ::pode::{Limits, pode_server};

    const options: u8 = 1;

    pode_server! {
        pub(super) server words(pem: Certificate, self_signed: bool, required: Limits) { limits: required };
        endpoint https 8443 { certificate: pem, limits: required };
        route GET "/" => redirect "https://example.org/";
        endpoint https 9443 {
            certificate: if self_signed { super::certificate() } else { pfx("a.pfx", password_from_env("P")).at_run_time() },
        };
    }
}

mod viewed {
    static event: u8 = 1;

    #[derive(::serde::Serialize, ::pode::View)]
    #[view("parts/head", folder = "ui/files/sound/views")]
    struct Head;
}

fn certificate() -> ::pode::Certificate {
    ::pode::certificate::self_signed()
}

#[test]
fn can_be_made() {
    let _ = built();
    let _ = parameters::words(::pode::certificate::self_signed(), false, Default::default());
}
