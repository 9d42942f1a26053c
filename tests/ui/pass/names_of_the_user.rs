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

mod viewed {
    static event: u8 = 1;

    #[derive(::serde::Serialize, ::pode::View)]
    #[view("parts/head", folder = "ui/files/sound/views")]
    struct Head;
}

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

#[test]
fn can_be_made() {
    let _ = built();
}
