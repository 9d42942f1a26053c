//! Tests of a server, by clients that are typed by its declaration.
//!
//! ```test_harness
//! use pode::prelude::*;
//!
//! pode_server! {
//!     pub server news;
//!     endpoint http 8090;
//!     endpoint ws   8091;
//!     signal NEWS: Item = "/";
//!     route POST "/broadcast" (form: Item) => broadcast;
//! }
//!
//! #[derive(Deserialize, Serialize)]
//! struct Item {
//!     text: String,
//! }
//!
//! async fn broadcast(event: WebEvent, item: Item) -> Result<(), SendError> {
//!     event.send(NEWS, &item).await
//! }
//!
//! #[tokio::test]
//! async fn what_is_posted_arrives() {
//!     let server = pode::test::start(news()).await;
//!     let mut client = server.connect(NEWS).await;
//!     let item = Item { text: "hi".to_owned() };
//!     server.post("/broadcast").form(&item).await.assert_status(204);
//!     client.assert_next(&item).await;
//! }
//! ```
//!
//! It needs the feature `test`, and [tokio](https://docs.rs/tokio) for
//! `#[tokio::test]`. So that programs don't carry it, both belong to the tests. pode
//! comes from where `[dependencies]` has it, such as a path:
//!
//! ```toml
//! [dev-dependencies]
//! pode = { path = "../pode", features = ["test"] }
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```
//!
//! The feature turns on hyper's client, and tokio-tungstenite, which `upstream` needs,
//! too. Tests may use either flavour of runtime, run in parallel, and start several
//! servers each.
//!
//! # What differs
//!
//! It is the real server, over real sockets, with its limits, time-outs, origins,
//! hosts, views and certificates as declared. This differs:
//!
//! - Each address is replaced by a free port of 127.0.0.1. Endpoints that share an
//!   address share a port.
//! - The time of timers and schedules moves when the test [moves](TestServer::advance)
//!   it.
//! - Upstreams lead to the [test](TestServer::upstream), without TLS, and reconnect at
//!   once.
//! - `secret_from_env` takes a random secret if its variable isn't set. A certificate
//!   whose `password_from_env` isn't set is replaced by a self-signed one.
//!   [`env`](Start::env) sets variables for one server, where setting those of the
//!   process would be unsafe.
//! - Nothing comes from the environment that concerns a whole program: `hand_over` and
//!   the backplane are off, as are sockets passed by a service manager, SIGTERM and SIGHUP, and the
//!   renewal of certificates.
//!
//! The test's clients trust whatever certificate their server shows.
//!
//! # Failures
//!
//! What isn't as a test expects panics, with the line of the test, what was expected
//! and what came. Each wait has a deadline, 10 seconds by default, and then panics,
//! too:
//!
//! ```text
//! tests/news.rs:24:12: waited 10s for a message on `/`
//! tests/news.rs:24:12: expected {"text":"hi"} on `/`, got {"text":"ho"}
//! tests/news.rs:24:12: expected a message on `/`, but the connection was closed with 1008
//! ```
//!
//! `#[tokio::test]` has one thread, for the test, the server and the deadline: a handler
//! that blocks it, as with a `std::sync::Mutex` that the test holds, makes the test hang.
//! Hold no such lock over an `.await`, or write
//! `#[tokio::test(flavor = "multi_thread", worker_threads = 2)]`.
//!
//! The deadline is one of tokio's clock. With `start_paused = true` it comes at once, so
//! leave that out.
//!
//! # Clients of signals
//!
//! A client [sends](Client::send) and [gets](Client::next) the types of its signal, or
//! [text](Client::next_text) and bytes as they are. Often a server's types are only
//! read or only written there: [`assert_next`](Client::assert_next) compares by JSON,
//! and [`send_json`](Client::send_json) and [`next_json`](Client::next_json) take any
//! type.
//!
//! ```test_harness
//! use pode::prelude::*;
//!
//! pode_server! {
//!     server chat { client_ids: signed_by(secret_from_env("CHAT_SECRET")) };
//!     endpoint wss "*:8443" { certificate: self_signed(), hosts: ["chat.example"] };
//!     signal ROOM: String -> String = "/rooms/:room" (room: String) => say;
//!     on connect ROOM => enter;
//! }
//!
//! async fn enter(event: ConnectEvent<String>, room: String) -> Result<(), EventError> {
//!     let name = event.cookie("name").ok_or(EventError::new(401, "who are you?"))?;
//!     event.greet(&format!("{name} is in the {room}"))
//! }
//!
//! async fn say(event: SignalEvent<String>, room: String, text: String) -> Result<(), SendError> {
//!     event.send(ROOM.at(&room), &text).await
//! }
//!
//! #[tokio::test]
//! async fn a_room_hears_itself_alone() {
//!     let server = pode::test::start(chat()).await;
//!     let [kitchen, hall] = ["kitchen", "hall"].map(|room| ROOM.at(&room.to_owned()));
//!     let mut ada = server.connect(kitchen.clone()).cookie("name", "Ada").await;
//!     let mut bob = server.connect(hall).cookie("name", "Bob").await;
//!     assert_eq!(ada.next().await, "Ada is in the kitchen");
//!     assert_eq!(bob.next().await, "Bob is in the hall");
//!
//!     ada.send(&"hello".to_owned()).await;
//!     assert_eq!(ada.next().await, "hello");
//!     bob.assert_silent().await;
//!
//!     let refused = server.connect(kitchen).refused().await;
//!     assert_eq!(refused.status(), 401);
//!     assert_eq!(refused.text(), "who are you?");
//!
//!     assert!(ada.id().starts_with("s:"));
//!     server.signals().clients(ROOM.at(&"hall".to_owned())).close_all(4000, "out").await.unwrap();
//!     let closed = bob.closed().await;
//!     assert_eq!((closed.code, &*closed.reason), (4000, "out"));
//! }
//! ```
//!
//! [`assert_silent`](Client::assert_silent) and [`settle`](TestServer::settle) wait for
//! no time to pass: they wait until what was sent has been handled and what was sent
//! because of that has come.
//!
//! # Clients that come back
//!
//! A client of a signal with a history resumes by its position, which the response to
//! its handshake tells:
//!
//! ```test_harness
//! use pode::prelude::*;
//!
//! pode_server! {
//!     server news;
//!     endpoint ws 8090;
//!     signal NEWS: String = "/" { history_messages: 100 };
//! }
//!
//! #[tokio::test]
//! async fn who_comes_back_gets_what_it_missed() {
//!     let server = pode::test::start(news()).await;
//!     let client = server.connect(NEWS).await;
//!     let position = client.headers()["x-pode-signal-position"].to_str().unwrap().to_owned();
//!     client.close().await;
//!
//!     server.signals().send(NEWS, &"meanwhile".to_owned()).await.unwrap();
//!     let mut client = server.connect(NEWS).query(&[("resume", position)]).await;
//!     assert_eq!(client.next().await, "meanwhile");
//! }
//! ```
//!
//! A client that speaks [`pode.v1`](crate::guide::protocol) comes back with
//! its position and as the same client by itself, and what it sends is handled once:
//!
//! ```test_harness
//! use pode::prelude::*;
//!
//! pode_server! {
//!     server chat;
//!     endpoint ws 8090;
//!     signal CHAT: String -> String = "/chat" { history_messages: 100 } => say;
//! }
//!
//! async fn say(event: SignalEvent<String>, text: String) -> Result<(), SendError> {
//!     let text = if event.may_be_repeated() { format!("{text}?") } else { text };
//!     event.reply(&text).await
//! }
//!
//! #[tokio::test]
//! async fn who_comes_back_knows_what_it_missed() {
//!     let server = pode::test::start(chat()).await;
//!     let mut ada = server.connect(CHAT).protocol_v1().await;
//!     let number = ada.send(&"hello".to_owned()).await;
//!     ada.acknowledged(number).await;
//!     assert_eq!(ada.next().await, "hello");
//!
//!     ada.cut();
//!     server.signals().send(CHAT, &"meanwhile".to_owned()).await.unwrap();
//!     ada.come_back().await;
//!     assert_eq!(ada.hello().resumed, Some(true));
//!     assert_eq!(ada.until_live().await, ["meanwhile"]);
//! }
//!
//! #[tokio::test]
//! async fn what_is_sent_to_a_newer_process_may_be_repeated() {
//!     let server = pode::test::start(chat()).await;
//!     let mut ada = server.connect(CHAT).protocol_v1().await;
//!     ada.send(&"hello".to_owned()).await;
//!     // What it hasn't read is lost: the reply, with the acknowledgement.
//!     ada.come_back_unknown().await;
//!     assert_eq!(ada.next().await, "hello?");
//! }
//! ```
//!
//! # Requests
//!
//! ```test_harness
//! use pode::prelude::*;
//!
//! pode_server! {
//!     server shop;
//!     endpoint front http 8080;
//!     endpoint admin http "127.0.0.1:8081";
//!     route GET  "/items" (query: Page) => async |_, page: Page| json(&[page.page, 2]);
//!     route PUT  "/items" (json: Vec<u32>) => async |_, items: Vec<u32>| status(200 + items.len() as u16);
//!     route GET  "/secrets" { endpoint: admin } => async |_| redirect("/elsewhere");
//! }
//!
//! #[derive(Deserialize)]
//! struct Page {
//!     page: u32,
//! }
//!
//! #[tokio::test]
//! async fn it_answers() {
//!     let server = pode::test::start(shop()).await;
//!     let response = server.get("/items").query(&[("page", "7")]).await.assert_status(200);
//!     assert_eq!(response.json::<Vec<u32>>(), [7, 2]);
//!     assert_eq!(response.header("content-type"), Some("application/json"));
//!
//!     server.put("/items").json(&[7, 2]).await.assert_status(202);
//!     let stranger = server.put("/items").json(&[1]).origin("https://evil.example").await;
//!     assert_eq!(stranger.status(), 403);
//!
//!     server.get("/secrets").await.assert_status(404);
//!     let moved = server.get("/secrets").endpoint("admin").await;
//!     assert_eq!(moved.header("location"), Some("/elsewhere"));
//! }
//! ```
//!
//! # Timers and schedules
#![cfg_attr(
    feature = "schedule",
    doc = r#"
```test_harness
use std::time::Duration;

use pode::prelude::*;

pode_server! {
    server bells;
    endpoint ws 8090;
    signal RUNG: String = "/";
    timer "minute" every 1min => async |event| event.send(RUNG, &"minute".to_owned()).await;
    schedule "night" cron "30 2 * * *" => async |event| event.send(RUNG, &"night".to_owned()).await;
}

#[tokio::test]
async fn the_night_of_summer_time_has_no_half_past_two() {
    let server = pode::test::start(bells()).clock("2026-03-29 01:58:30[Europe/Berlin]").await;
    let mut client = server.connect(RUNG).await;
    server.advance(Duration::from_secs(60)).await;
    assert_eq!(client.next().await, "minute");
    client.assert_silent().await;
    // What lies in the gap comes right after it.
    server.advance(Duration::from_secs(30)).await;
    assert_eq!(client.next().await, "night");
    client.assert_silent().await;
}
```
"#
)]
//! # Upstreams
#![cfg_attr(
    feature = "upstream",
    doc = r#"
```test_harness
use pode::prelude::*;

pode_server! {
    server ticker;
    endpoint ws 8090;
    signal SHOWN: Tick = "/";
    upstream PRICES: Tick -> String = "wss://feed.example/prices" { on_connect: subscribe } => show;
}

#[derive(Deserialize, Serialize)]
struct Tick {
    price: u32,
}

async fn subscribe(event: UpstreamEvent<String>) -> Result<(), UpstreamError> {
    event.reply(&"all".to_owned()).await
}

async fn show(event: UpstreamEvent<String>, tick: Tick) -> Result<(), SendError> {
    event.send(SHOWN, &tick).await
}

#[tokio::test]
async fn prices_are_shown_after_a_reconnection_too() {
    let server = pode::test::start(ticker()).await;
    let mut client = server.connect(SHOWN).await;
    let feed = server.upstream(PRICES).await;
    assert_eq!(feed.path(), "/prices");
    feed.close(1001, "maintenance").await;

    let mut feed = server.upstream(PRICES).await;
    assert_eq!(feed.next().await, "all");
    feed.send(&Tick { price: 42 }).await;
    client.assert_next(&Tick { price: 42 }).await;
}
```
"#
)]

pub use pode_runtime::test::*;
