//! The rules one by one, and what the handshake makes of any bytes: of the files
//! of `tests/corpus/handshakes/`, and of those with bytes and lines changed. It
//! must not matter how the network cuts them, and a second reading of the
//! standard must come to the same verdict.

mod corpus;
mod second_opinion;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pode_core::SignalPath;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tower_service::Service;

use super::*;
use crate::app::context::context_of;
use crate::app::event::RequestHead;
use crate::app::tickets::Tickets;
use crate::base::supervisor::Failure;
use crate::http::activity::RequestBody;
use crate::http::origin::{OriginPolicy, Origins};
use crate::http::serve;
use crate::http::serve::ServeOptions;
use crate::net::listen;
use crate::push::engine::Engine;
use crate::push::publisher::Signals;
use crate::server::declare::Declared;
use crate::server::options::ServerOptions;
use crate::signal::options::SignalOptions;
use crate::signal::{Handshake, Signal, SignalRoute};

/// A server with one signal, to which all pages may connect.
fn one_signal(path: &'static str) -> (Signals, Engine, SignalRoute) {
    let mut declared = Declared::new("one_signal", ServerOptions::default());
    // Where time jumps, no client may be asked for a heartbeat.
    let options = SignalOptions {
        heartbeat: Duration::ZERO,
        origins: Origins::AnyPage,
        ..SignalOptions::default()
    };
    declared.signal_channel(SignalPath::<String>::new(path), &[], options);
    let signal = &declared.signals[0];
    let gate = OriginPolicy::new(&signal.options.origins, Arc::default(), false)
        .expect("nothing is wrong");
    let entrance = SignalRoute::new(signal.clone(), gate);
    let (hub, receivers) = Signal::channels(&declared.signals, false);
    let tickets = Arc::new(Tickets::new(&Default::default()));
    let engine = declared.start_engine(receivers, &tickets, &Failure::default(), None);
    let engine = engine.expect("the system has descriptors left");
    (Signals::new(hub, Duration::from_secs(5)), engine, entrance)
}

const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
const ASKED: [(&str, &str); 5] = [
    ("host", "localhost"),
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "WebSocket"),
    ("sec-websocket-version", "13"),
    KEY,
];

fn headers<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    headers
}

/// The headers of a handshake, with another value for one of them.
fn with(name: &str, value: &str) -> HeaderMap {
    let mut headers = headers(ASKED);
    headers.insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    headers
}

#[track_caller]
fn check(headers: &HeaderMap, expected: Result<(), HandshakeError>) {
    assert_eq!(accept(&Method::GET, Version::HTTP_11, headers).map(drop), expected);
}

#[test]
fn an_upgrade_is_asked_for_in_lists_and_lines_of_any_case() {
    let upgrade = ("upgrade", "h2c, websocket");
    assert!(is_upgrade(&headers(ASKED)));
    assert!(is_upgrade(&headers([("connection", "upgrade"), upgrade])));
    assert!(is_upgrade(&headers([
        ("connection", "keep-alive"),
        ("connection", "UPGRADE"),
        upgrade
    ])));
    assert!(!is_upgrade(&headers([upgrade])));
    assert!(!is_upgrade(&headers([("connection", "upgrade")])));
    assert!(!is_upgrade(&headers([("connection", "upgraded"), upgrade])));
    assert!(!is_upgrade(&headers([("connection", "upgrade"), ("upgrade", "websocket/13")])));
}

#[test]
fn the_reply_proves_that_the_key_was_read() {
    let accepted = accept(&Method::GET, Version::HTTP_11, &headers(ASKED)).unwrap();
    let response = accepted.response(None);
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["connection"], "Upgrade");
    assert_eq!(response.headers()["upgrade"], "websocket");
    // From the standard, section 1.3.
    assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(response.body().is_empty());
}

#[test]
fn what_is_offered_besides_is_not_taken_up() {
    let mut headers = with("sec-websocket-protocol", "chat");
    headers.insert("sec-websocket-extensions", "permessage-deflate".parse().unwrap());
    let response = accept(&Method::GET, Version::HTTP_11, &headers).unwrap().response(None);
    assert_eq!(response.headers().len(), 3);
}

#[test]
fn each_rule_has_its_refusal() {
    let refused = |method, version| accept(&method, version, &headers(ASKED)).unwrap_err();
    assert_eq!(refused(Method::POST, Version::HTTP_11), HandshakeError::Method);
    assert_eq!(refused(Method::GET, Version::HTTP_10), HandshakeError::HttpVersion);
    check(&with("connection", "close"), Err(HandshakeError::NotAsked));
    check(&headers(ASKED[1..].iter().copied()), Err(HandshakeError::Host));
    check(&headers(ASKED.into_iter().chain([ASKED[0]])), Err(HandshakeError::Host));
    check(&with("host", ""), Err(HandshakeError::Host));
    check(&with("content-length", "5"), Err(HandshakeError::Body));
    check(&with("content-length", "0"), Ok(()));
    check(&with("transfer-encoding", "chunked"), Err(HandshakeError::Body));
    check(&with("sec-websocket-version", "8"), Err(HandshakeError::Version));
    check(&with("sec-websocket-version", "13, 8"), Err(HandshakeError::Version));

    check(&headers(ASKED[..4].iter().copied()), Err(HandshakeError::Key));
    check(&headers(ASKED.into_iter().chain([KEY])), Err(HandshakeError::Key));
    for wrong in ["", "short==", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZQQ="] {
        check(&with(KEY.0, wrong), Err(HandshakeError::Key));
    }
    check(&with(KEY.0, "dGhlIHNhbXBsZSBub25j!Q=="), Err(HandshakeError::Key));
    // From the standard, section 4.1, with bits in its last digit that
    // stand for nothing.
    check(&with(KEY.0, "AQIDBAUGBwgJCgsMDQ4PEC=="), Ok(()));
}

#[test]
fn refusals_say_what_would_be_right() {
    let response = HandshakeError::Version.response();
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.body(), "the server speaks version 13 of the WebSocket protocol\n");
    assert_eq!(HandshakeError::Method.response().headers()["allow"], "GET");
    assert_eq!(HandshakeError::Key.response().status(), 400);
    assert_eq!(HandshakeError::Stopping.response().status(), 503);
}

fn handshake<B>(request: &mut http::Request<B>, signals: &Signals, engine: &Engine) -> Handshake {
    let (context, engine) = (context_of(signals.clone()), engine.clone());
    Handshake {
        version: request.version(),
        head: RequestHead::take(request, None),
        values: Vec::new(),
        context,
        engine,
        connection: None,
    }
}

/// As a request of HTTP/1.0 looks behind another program's warp filters.
#[tokio::test]
async fn a_request_that_cannot_be_upgraded_is_refused() {
    let (signals, engine, entrance) = one_signal("/news");
    let mut request = http::Request::new(String::new());
    *request.headers_mut() = headers(ASKED);
    let handshake = handshake(&mut request, &signals, &engine);
    request.extensions_mut().insert(handshake);
    let response = warp::service(entrance.into_filter()).call(request).await.unwrap();
    assert_eq!(response.status(), 400);
}

const HANDSHAKE: &str = "GET /news HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Sends a request, and reads the head of the reply.
async fn ask(address: SocketAddr, request: &[u8]) -> (TcpStream, String) {
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(request).await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(peer.read_u8().await.unwrap().into());
    }
    (peer, head)
}

#[tokio::test]
async fn a_request_becomes_a_client_of_the_engine() {
    let (signals, engine, entrance) = one_signal("/news");
    let socket = listen::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let stopping = watch::Sender::new(None);
    let service = {
        let (signals, engine) = (signals.clone(), engine.clone());
        let filter = entrance.into_filter();
        move |mut request: http::Request<RequestBody<hyper::body::Incoming>>, _| {
            let handshake = handshake(&mut request, &signals, &engine);
            request.extensions_mut().insert(handshake);
            warp::service(filter.clone()).call(request)
        }
    };
    let serving = tokio::spawn(serve::serve(
        socket,
        None,
        ServeOptions::default(),
        service,
        stopping.subscribe(),
    ));

    // A client that has received the reply misses no message.
    let (mut peer, head) = ask(address, HANDSHAKE.as_bytes()).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    signals.send(SignalPath::<u8>::new("/news"), &42).await.unwrap();
    let mut frame = [0; 4];
    peer.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x0242");

    // A ping right behind the handshake isn't lost.
    let hasty = [HANDSHAKE.as_bytes(), b"\x89\x82\0\0\0\0yo"].concat();
    let (mut hasty, head) = ask(address, &hasty).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    hasty.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x8a\x02yo");

    let (_, head) = ask(address, HANDSHAKE.replace(": 13", ": 7").as_bytes()).await;
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    let (_, head) = ask(address, HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0").as_bytes()).await;
    assert!(head.starts_with("HTTP/1.0 400 "), "{head}");

    let deadline = Instant::now() + Duration::from_secs(3600);
    drop((peer, hasty));
    engine.stop(deadline).await;
    let (_, head) = ask(address, HANDSHAKE.as_bytes()).await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    stopping.send_replace(Some(deadline));
    serving.await.unwrap();
}
