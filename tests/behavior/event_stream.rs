//! Signals that are heard as event streams.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use pode::prelude::*;
use pode::{Protocol, RawMessage, RunningServer, SendError};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, duplex,
};
use tokio::net::TcpStream;

use crate::support::secure::{certificate, connect, http_2, trusting_root};
use crate::support::{get, request_at, start, within};

pode_server! {
    server streamed;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal NUMBERS: u32 = "/" { history_messages: 100, heartbeat: 1s };
    signal BRIEF: String = "/brief" { heartbeat: 1s };
    signal FEW: u32 = "/few" { history_messages: 2, history_bytes: 100 };
    signal ROOM: Value = "/rooms/:room" (room: u32) { history_messages: 100, max_clients: 2 };
    signal GUARDED: u32 = "/guarded";
    signal SILENT: u32 = "/silent" { event_streams: Off };
    signal RAW: RawMessage = "/raw";
    signal PRICE: u32 = "/price" { history_messages: 10, replay: Last, latest_by: |price| (price / 100).to_string() };
    signal PEOPLE: u32 = "/people" { presence: 10 };
    signal ASK: u32 -> u32 = "/ask" { history_messages: 100, heartbeat: 1s } => double;
    on connect GUARDED => guard;
    on connect PEOPLE => enter;
    route GET "/" => async |_| html("<p>a page</p>");
}

mod tls {
    use super::certificate;
    use pode::prelude::*;
    use pode::{Certificate, RunningServer};

    pode_server! {
        pub(super) server secured(shown: Certificate);
        endpoint https "127.0.0.1:0" { certificate: shown };
        endpoint wss   "127.0.0.1:0";
        signal NUMBERS: u32 = "/" { history_messages: 100, heartbeat: 1s };
        route GET "/page" => async |_| text("a page");
    }

    pub(super) async fn start() -> RunningServer {
        crate::support::start(secured(certificate())).await
    }
}

async fn double(event: SignalEvent<u32>, number: u32) -> Result<(), SendError> {
    event.reply(&(2 * number)).await
}

async fn guard(event: ConnectEvent<u32>) -> Result<(), EventError> {
    match event.query() {
        "busy" => Err(EventError::new(503, "come later")),
        _ => Err(EventError::new(403, "who are you?")),
    }
}

async fn enter(event: ConnectEvent<u32>) -> Result<(), EventError> {
    event.present(&event.query())
}

/// One event: its name (`message` if it has none), its id and its data, as a browser reads
/// them; or a comment. Fields that no browser knows stand before the data.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    name: String,
    id: Option<String>,
    data: Option<String>,
    other: Vec<(String, String)>,
}

impl Heard {
    fn json(&self) -> Value {
        serde_json::from_str(self.data.as_deref().unwrap_or_default()).unwrap_or_default()
    }
}

/// A client that reads an event stream.
struct Listener {
    stream: Box<dyn AsyncBufRead + Send + Unpin>,
    head: String,
}

impl Listener {
    fn over(stream: impl AsyncRead + Send + Unpin + 'static) -> Listener {
        Listener { stream: Box::new(BufReader::new(stream)), head: String::new() }
    }

    async fn ask(server: &RunningServer, path: &str, headers: &str) -> Listener {
        let address = server.address(Protocol::Ws).unwrap();
        let stream = within(TcpStream::connect(address), "a connection").await.unwrap();
        Listener::ask_over(stream, &address.to_string(), path, headers).await
    }

    async fn ask_over(
        mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        host: &str,
        path: &str,
        headers: &str,
    ) -> Listener {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut listener = Listener::over(stream);
        while !listener.head.ends_with("\r\n\r\n") {
            assert!(listener.line().await.is_some(), "{}", listener.head);
        }
        listener
    }

    async fn hear_from(server: &RunningServer, path: &str) -> Listener {
        let listener = Listener::ask(server, path, "").await;
        assert!(listener.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", listener.head);
        listener
    }

    async fn line(&mut self) -> Option<()> {
        let read = within(self.stream.read_line(&mut self.head), "a line").await;
        read.ok().filter(|read| *read > 0).map(drop)
    }

    /// Returns the next event; `None` at the end.
    async fn event(&mut self) -> Option<Heard> {
        let mut heard = Heard { name: "message".to_owned(), ..Heard::default() };
        loop {
            let mut line = String::new();
            within(self.stream.read_line(&mut line), "an event").await.ok().filter(|it| *it > 0)?;
            let line = line.trim_end_matches('\n');
            if line.is_empty() {
                return Some(heard);
            }
            let (field, value) = line.split_once(':').unwrap();
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "event" => heard.name = value,
                "id" => heard.id = Some(value),
                "data" => match &mut heard.data {
                    Some(data) => *data += &format!("\n{value}"),
                    None => heard.data = Some(value),
                },
                field => heard.other.push((field.to_owned(), value)),
            }
        }
    }

    /// Returns the next event with this name, past those that only say that the server is
    /// alive, or when to come back.
    async fn next(&mut self, name: &str) -> Heard {
        loop {
            let heard = self.event().await.expect("the stream goes on");
            if heard.name == "message" && heard.data.is_none() {
                continue;
            }
            assert_eq!(heard.name, name, "{heard:?}");
            return heard;
        }
    }

    /// Waits until it is live; returns the hello.
    async fn live(&mut self) -> Value {
        let hello = self.next("hello").await;
        self.next("live").await;
        hello.json()
    }
}

#[tokio::test]
async fn messages_are_events_with_their_positions() {
    let server = start(streamed()).await;
    let mut listener = Listener::hear_from(&server, "/").await;
    let head = listener.head.to_lowercase();
    for header in [
        "content-type: text/event-stream\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
        "connection: close\r\n",
        "x-pode-signal-name: /\r\n",
        "vary: accept, origin\r\n",
        "date: ",
    ] {
        assert!(head.contains(header), "{head}");
    }
    assert!(!head.contains("content-length"), "{head}");
    let retry = listener.event().await.unwrap();
    assert!(matches!(&retry.other[..], [(name, _)] if name == "retry"), "{retry:?}");
    let hello = listener.next("hello").await;
    let epoch = hello.json()["epoch"].as_str().unwrap().to_owned();
    assert_eq!(hello.id, Some(format!("{epoch}-0")));
    assert_eq!(listener.next("live").await.json(), json!({ "live": 0 }));
    for number in 1..=3 {
        server.signals().send(NUMBERS, &number).await.unwrap();
        let heard = listener.next("message").await;
        let (id, data) = (Some(format!("{epoch}-{number}")), Some(number.to_string()));
        let expected = Heard { name: "message".to_owned(), id, data, other: Vec::new() };
        assert_eq!(heard, expected);
    }
    // A beacon has an id alone.
    let beacon = listener.event().await.unwrap();
    assert_eq!((beacon.id, beacon.data), (Some(format!("{epoch}-3")), None));
    server.stop().await;
}

#[tokio::test]
async fn who_comes_back_gets_what_it_missed_or_hears_of_a_gap() {
    let server = start(streamed()).await;
    let mut listener = Listener::hear_from(&server, "/few").await;
    let epoch = listener.live().await["epoch"].as_str().unwrap().to_owned();
    let signals = server.signals();
    signals.send(FEW, &1).await.unwrap();
    let last = listener.next("message").await.id.unwrap();
    drop(listener);
    for number in 2..=3 {
        signals.send(FEW, &number).await.unwrap();
    }
    // The header counts more than what the page wrote into the address.
    let back = format!("Last-Event-ID: {last}\r\n");
    let mut listener = Listener::ask(&server, &format!("/few?resume={epoch}-0"), &back).await;
    assert_eq!(listener.next("hello").await.json()["resumed"], json!(true));
    for number in 2..=3 {
        assert_eq!(listener.next("message").await.json(), json!(number));
    }
    listener.next("live").await;
    for number in 4..=100 {
        signals.send(FEW, &number).await.unwrap();
    }
    let mut listener = Listener::ask(&server, "/few", &back).await;
    assert_eq!(listener.next("hello").await.json()["resumed"], json!(false));
    let gap = listener.next("gap").await.json();
    assert_eq!((&gap["gap"][0], &gap["why"]), (&json!(1), &json!("age")));
    let other = "Last-Event-ID: 0000000000000001-7\r\n";
    let mut listener = Listener::ask(&server, "/few", other).await;
    listener.next("hello").await;
    let gap = listener.next("gap").await;
    assert_eq!(gap.json()["why"], json!("epoch"));
    assert!(gap.id.unwrap().starts_with(&epoch));
    server.stop().await;
}

#[tokio::test]
async fn a_signal_without_history_and_one_with_keys_are_heard() {
    let server = start(streamed()).await;
    let signals = server.signals();
    let mut listener = Listener::hear_from(&server, "/brief").await;
    let hello = listener.next("hello").await;
    assert_eq!(hello.id, None);
    signals.send(BRIEF, &"a\nb".to_owned()).await.unwrap();
    let heard = listener.next("message").await;
    assert_eq!((heard.id, heard.data.as_deref()), (None, Some(r#""a\nb""#)));
    for price in [101, 202, 103] {
        signals.send(PRICE, &price).await.unwrap();
    }
    let mut listener = Listener::hear_from(&server, "/price").await;
    listener.next("hello").await;
    for (key, price) in [("2", 202), ("1", 103)] {
        let heard = listener.next("message").await;
        assert_eq!(heard.other, [("key".to_owned(), format!("\"{key}\""))]);
        assert_eq!(heard.json(), json!(price));
    }
    listener.next("live").await;
    signals.remove(PRICE, "2").await.unwrap();
    let removed = listener.event().await.unwrap();
    assert_eq!((removed.data, &removed.other[..]), (None, &[("key".into(), "\"2\"".into())][..]));
    assert!(removed.id.is_some());
    server.stop().await;
}

#[tokio::test]
async fn who_is_there_is_told_and_those_count_who_listen_by_an_event_stream() {
    let server = start(streamed()).await;
    let mut ada = Listener::hear_from(&server, "/people?Ada").await;
    ada.next("hello").await;
    let here = ada.next("here").await.json();
    assert_eq!(here["here"].as_object().unwrap().len(), 1);
    ada.next("live").await;
    let bob = Listener::hear_from(&server, "/people?Bob").await;
    assert_eq!(ada.next("join").await.json()["info"], json!("Bob"));
    drop(bob);
    server.signals().clients(PEOPLE).close_all(4_000, "").await.unwrap();
    assert_eq!(ada.next("close").await.json()["code"], json!(4_000));
    assert!(ada.event().await.is_none(), "the stream ends");
    server.stop().await;
}

#[tokio::test]
async fn who_may_not_listen_hears_why_and_who_may_later_comes_back() {
    let server = start(streamed()).await;
    let refused = Listener::ask(&server, "/guarded", "").await;
    assert!(refused.head.starts_with("HTTP/1.1 403"), "{}", refused.head);
    // A browser comes back from nothing but a stream that has begun.
    let mut later = Listener::hear_from(&server, "/guarded?busy").await;
    let close = later.next("close").await.json();
    assert_eq!(close, json!({ "code": 4503, "reason": "come later" }));
    assert!(later.event().await.is_none(), "the stream ends");
    let stranger = Listener::ask(&server, "/", "Origin: https://evil.example\r\n").await;
    assert!(stranger.head.starts_with("HTTP/1.1 403"), "{}", stranger.head);
    // Its own page at another port reads it, too.
    let port = server.address(Protocol::Http).unwrap().port();
    let own = format!("Origin: http://127.0.0.1:{port}\r\n");
    let own = Listener::ask(&server, "/", &own).await;
    let allowed = format!("access-control-allow-origin: http://127.0.0.1:{port}\r\n");
    assert!(own.head.contains(&allowed), "{}", own.head);
    for path in ["/silent", "/raw", "/nowhere"] {
        let refused = Listener::ask(&server, path, "").await;
        assert!(!refused.head.starts_with("HTTP/1.1 200"), "{path}: {}", refused.head);
    }
    let _rooms = [
        Listener::hear_from(&server, "/rooms/1").await,
        Listener::hear_from(&server, "/rooms/2").await,
    ];
    let mut full = Listener::hear_from(&server, "/rooms/3").await;
    assert_eq!(full.next("close").await.json()["code"], json!(4503));
    server.stop().await;
}

#[tokio::test]
async fn a_page_and_an_event_stream_may_have_one_path() {
    let server = start(streamed()).await;
    let page = get(&server, "/").await;
    assert_eq!((page.text(), &*page.headers["vary"]), ("<p>a page</p>", "Accept"));
    let mut listener = Listener::hear_from(&server, "/").await;
    listener.live().await;
    server.stop().await;
}

#[tokio::test]
async fn who_leaves_is_gone_and_who_stops_is_told() {
    let server = start(streamed()).await;
    let mut first = Listener::hear_from(&server, "/").await;
    let mut second = Listener::hear_from(&server, "/").await;
    first.live().await;
    second.live().await;
    let clients = server.signals().clients(NUMBERS);
    assert_eq!(clients.list().await.unwrap().len(), 2);
    drop(second);
    while clients.list().await.unwrap().len() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let stopping = tokio::spawn(server.stop());
    assert_eq!(first.next("close").await.json()["code"], json!(1001));
    assert!(first.event().await.is_none(), "the stream ends");
    drop(first);
    within(stopping, "the stop").await.unwrap();
}

/// What is sent before it, and behind it, on one connection.
#[tokio::test]
async fn earlier_answers_come_before_the_stream_and_nothing_behind_it_counts() {
    let server = start(streamed()).await;
    let address = server.address(Protocol::Ws).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let one =
        |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n");
    let events = "Accept: text/event-stream\r\n";
    let all = one("/nothing", "") + &one("/", events) + &one("/nothing", "") + &one("/", events);
    stream.write_all(all.as_bytes()).await.unwrap();
    let mut listener = Listener::over(stream);
    while !listener.head.contains("text/event-stream") {
        listener.line().await.unwrap();
    }
    assert!(listener.head.starts_with("HTTP/1.1 404"), "{}", listener.head);
    while !listener.head.ends_with("\r\n\r\n") {
        listener.line().await.unwrap();
    }
    listener.live().await;
    server.signals().send(NUMBERS, &7).await.unwrap();
    assert_eq!(listener.next("message").await.json(), json!(7));
    server.stop().await;
}

#[tokio::test]
async fn other_methods_and_heads_get_no_stream() {
    let server = start(streamed()).await;
    let address = server.address(Protocol::Ws).unwrap();
    for (method, status) in [("HEAD", 426), ("POST", 405)] {
        let accept = [("Accept", "text/event-stream")];
        let answer = request_at(address, method, "/few", &accept, b"").await;
        assert_eq!(answer.status, status, "{method}");
    }
    server.stop().await;
}

/// In HTTP/1 the connection itself goes on, in HTTP/2 a stream within it.
#[tokio::test]
async fn event_streams_come_by_tls_and_by_http_2() {
    let server = tls::start().await;
    let address = server.address(Protocol::Https).unwrap();
    let stream = connect(trusting_root(), address, "localhost").await.unwrap();
    let host = format!("localhost:{}", address.port());
    let mut by_tls = Listener::ask_over(stream, &host, "/", "").await;
    let mut requests = http_2::<Empty<Bytes>>(address).await;
    let request = Request::builder()
        .uri(format!("https://{host}/"))
        .header("Accept", "text/event-stream")
        .body(Empty::new())
        .unwrap();
    let answer = within(requests.send_request(request), "a response").await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert!(!answer.headers().contains_key("connection"));
    let (mut to, from) = duplex(1 << 10);
    let mut body = answer.into_body();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            to.write_all(frame.data_ref().unwrap()).await?;
        }
        std::io::Result::Ok(())
    });
    let mut by_http_2 = Listener::over(from);
    for listener in [&mut by_tls, &mut by_http_2] {
        listener.live().await;
    }
    // More than one of them takes at once.
    for number in 0..2_000 {
        server.signals().send(tls::NUMBERS, &number).await.unwrap();
        for listener in [&mut by_tls, &mut by_http_2] {
            assert_eq!(listener.next("message").await.json(), json!(number));
        }
    }
    for listener in [&mut by_tls, &mut by_http_2] {
        let beacon = listener.event().await.unwrap();
        assert!(beacon.id.unwrap().ends_with("-2000") && beacon.data.is_none());
    }
    drop(by_http_2);
    let clients = server.signals().clients(tls::NUMBERS);
    while clients.list().await.unwrap().len() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let stopping = tokio::spawn(server.stop());
    assert_eq!(by_tls.next("close").await.json()["code"], json!(1001));
    assert!(by_tls.event().await.is_none(), "the stream ends");
    drop(by_tls);
    within(stopping, "the stop").await.unwrap();
}

/// Sends a message of a client by `POST`; returns the status of the answer.
async fn post(server: &RunningServer, path: &str, ticket: &str, text: &str) -> u16 {
    let address = server.address(Protocol::Ws).unwrap();
    request_at(address, "POST", path, &[("X-Pode-Ticket", ticket)], text.as_bytes()).await.status
}

#[tokio::test]
async fn a_message_by_post_is_handled_once_and_answered_in_the_stream() {
    let server = start(streamed()).await;
    let mut listener = Listener::hear_from(&server, "/ask").await;
    let hello = listener.live().await;
    let ticket = hello["ticket"].as_str().unwrap();
    let other = Listener::hear_from(&server, "/few").await.live().await;
    for (ticket, text, status) in [
        ("nonsense", r#"{"n":1,"data":1}"#, 401),
        (other["ticket"].as_str().unwrap(), r#"{"n":1,"data":1}"#, 401),
        (ticket, r#"{"n":1,"data":1}"#, 202),
        (ticket, r#"{"n":1,"data":1,"again":true}"#, 202),
        (ticket, r#"{"n":2,"data":"no number"}"#, 202),
        (ticket, r#"{"n":3,"data":3}"#, 202),
    ] {
        assert_eq!(post(&server, "/ask", ticket, text).await, status, "{text}");
    }
    let reply = listener.next("message").await;
    assert_eq!(reply.json(), json!(2));
    assert!(reply.other.contains(&("re".to_owned(), "1".to_owned())), "{reply:?}");
    let mut all = vec![reply];
    while !all.iter().any(|heard| heard.json() == json!(6)) {
        let heard = listener.event().await.unwrap();
        if heard.data.is_some() {
            all.push(heard);
        }
    }
    let failed: Vec<_> = all.iter().filter(|heard| heard.name == "failed").collect();
    assert_eq!((failed.len(), &failed[0].json()["re"]), (1, &json!(2)));
    let replies = all.iter().filter(|heard| heard.name == "message");
    assert_eq!(replies.map(Heard::json).collect::<Vec<_>>(), [json!(2), json!(6)]);
    // As by a WebSocket.
    assert_eq!(post(&server, "/ask", ticket, r#"{"n":9,"data":9}"#).await, 202);
    loop {
        let heard = listener.event().await.expect("the stream says why it ends");
        if heard.name == "close" {
            assert_eq!(heard.json()["code"], json!(1007));
            break;
        }
    }
    assert!(listener.event().await.is_none(), "the stream ends");
    assert_eq!(post(&server, "/ask", ticket, r#"{"n":4,"data":4}"#).await, 410);
    let long = format!(r#"{{"n":4,"data":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(post(&server, "/ask", ticket, &long).await, 413);
    assert_eq!(post(&server, "/few", other["ticket"].as_str().unwrap(), "{}").await, 405);
    server.stop().await;
}

#[tokio::test]
async fn who_comes_back_by_its_ticket_goes_on_with_its_messages() {
    let server = start(streamed()).await;
    let mut listener = Listener::hear_from(&server, "/ask").await;
    let hello = listener.live().await;
    let ticket = hello["ticket"].as_str().unwrap().to_owned();
    assert_eq!(post(&server, "/ask", &ticket, r#"{"n":1,"data":1}"#).await, 202);
    listener.next("message").await;
    drop(listener);
    let by_ticket = format!("X-Pode-Ticket: {ticket}\r\n");
    let mut listener = Listener::ask(&server, "/ask", &by_ticket).await;
    let back = listener.next("hello").await.json();
    assert_eq!((&back["id"], &back["heard"]), (&hello["id"], &json!(1)));
    server.stop().await;
}

/// A page at another port of the server may send, too.
#[tokio::test]
async fn a_browser_learns_what_a_page_of_another_origin_may_send() {
    let server = start(streamed()).await;
    let address = server.address(Protocol::Ws).unwrap();
    let asked = ("Access-Control-Request-Method", "POST");
    let own = format!("http://{address}");
    let answer = request_at(address, "OPTIONS", "/ask", &[("Origin", &own), asked], b"").await;
    assert_eq!((answer.status, &answer.headers["access-control-allow-origin"]), (204, &own));
    assert!(answer.headers["access-control-allow-headers"].contains("x-pode-ticket"));
    let evil = [("Origin", "https://evil.example"), asked];
    let answer = request_at(address, "OPTIONS", "/ask", &evil, b"").await;
    assert_eq!(answer.status, 403);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    server.stop().await;
}
