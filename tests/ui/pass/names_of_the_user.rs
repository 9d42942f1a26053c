//! The user's names that the expansion must not confuse with its own.

#![deny(warnings)]
#![allow(dead_code)]

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
    server declared { stop_timeout: options() };
    endpoint http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:8091";
    signal NONE: Some = "/";
    route GET "/" => Ok;
    upstream FEED: Some -> Some = "wss://feed.example" { heartbeat: options() } => Err;
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
    let _ = declared();
}
