//! Upstreams: what the other server sees, and how its messages are handled.
//!
//! The other server is the test's own `Feed`, or a declared one.

use std::net::SocketAddr;
use std::sync::Arc;

use pode::prelude::*;
use pode::{Certificate, Protocol, Roots, RunningServer, StartError, Upstream, roots_of};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, start, within};

/// The other server: it accepts one connection at a time.
struct Feed {
    listener: TcpListener,
}

impl Feed {
    async fn new() -> Feed {
        Feed { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    fn url(&self) -> String {
        format!("ws://{}/prices?symbol=ACME", self.address())
    }

    async fn stream(&self) -> TcpStream {
        within(self.listener.accept(), "a connection").await.unwrap().0
    }

    async fn accept(&self) -> Client<TcpStream> {
        Client::accept(self.stream().await).await
    }
}

#[derive(Debug, Deserialize, Serialize)]
struct Tick {
    price: u32,
}

#[derive(Serialize)]
struct Subscribe {
    symbol: String,
}

impl Subscribe {
    fn to(symbol: &str) -> Subscribe {
        Subscribe { symbol: symbol.to_owned() }
    }
}

const SUBSCRIBED: &str = r#"{"symbol":"ACME"}"#;

pode_server! {
    server board(url: String);
    endpoint ws "127.0.0.1:0";
    signal PRICES: Tick = "/prices";
    upstream FEED: Tick -> Subscribe = url {
        reconnect_delay: 1ms,
        max_reconnect_delay: 5ms,
        max_message_bytes: 32,
        on_connect: async |event| event.reply(&Subscribe::to("ACME")).await,
    } => on_tick;
}

async fn on_tick(
    event: UpstreamEvent<Subscribe>,
    tick: Tick,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match tick.price {
        500 => panic!("as the test wants it"),
        404 => return Err("no such price".into()),
        0 => event.reply(&Subscribe::to(event.name())).await?,
        _ => event.send(PRICES, &tick).await?,
    }
    Ok(())
}

/// Starts the server, and returns it with the other side of its connection.
async fn connected() -> (RunningServer, Feed, Client<TcpStream>) {
    let feed = Feed::new().await;
    let server = start(board(feed.url())).await;
    let mut other = feed.accept().await;
    assert_eq!(other.text().await, SUBSCRIBED);
    (server, feed, other)
}

async fn send_prices(other: &mut Client<TcpStream>, prices: impl IntoIterator<Item = u32>) {
    for price in prices {
        other.send(Message::text(format!("{{\"price\":{price}}}"))).await;
    }
}

#[tokio::test]
async fn messages_come_typed_and_in_order_and_are_relayed() {
    let (server, _feed, mut other) = connected().await;
    let mut client = Client::connect(&server, "/prices").await;
    send_prices(&mut other, 1..=100).await;
    for price in 1..=100 {
        assert_eq!(client.text().await, format!("{{\"price\":{price}}}"));
    }
}

#[tokio::test]
async fn what_cannot_be_handled_is_skipped() {
    let (server, _feed, mut other) = connected().await;
    let mut client = Client::connect(&server, "/prices").await;
    other.send(Message::text("nonsense")).await;
    other.send(Message::text(r#"{"price":"high"}"#)).await;
    other.send(Message::binary(vec![0xFF, 0xFE])).await;
    // A panic and an error of the handler.
    send_prices(&mut other, [500, 404]).await;
    // A byte order mark is ignored.
    other.send(Message::binary("\u{feff}{\"price\":1}")).await;
    send_prices(&mut other, [2]).await;
    assert_eq!(client.text().await, r#"{"price":1}"#);
    assert_eq!(client.text().await, r#"{"price":2}"#);
}

#[tokio::test]
async fn each_connection_begins_anew_however_the_last_one_ended() {
    let (server, feed, mut other) = connected().await;
    let mut client = Client::connect(&server, "/prices").await;

    other.send(Message::Close(None)).await;
    drop(other);
    let mut other = feed.accept().await;
    assert_eq!(other.text().await, SUBSCRIBED);

    // Ends without a close frame.
    drop(other);
    let mut other = feed.accept().await;
    assert_eq!(other.text().await, SUBSCRIBED);

    // Ends by a reset.
    other.stream().set_zero_linger().unwrap();
    drop(other);

    // A handshake that is refused, one without a response, and an invalid one.
    let mut refused = feed.stream().await;
    refused.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    drop(feed.stream().await);
    feed.stream().await.write_all(b"220 mail.example\r\n").await.unwrap();

    let mut other = feed.accept().await;
    assert_eq!(other.text().await, SUBSCRIBED);
    send_prices(&mut other, [7]).await;
    assert_eq!(client.text().await, r#"{"price":7}"#);
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_the_connection() {
    let (_server, feed, mut other) = connected().await;
    other.send(Message::text("a".repeat(33))).await;
    assert_eq!(other.close_code().await, 1009);
    feed.accept().await;
}

pode_server! {
    server unlimited(url: String);
    upstream HOARD: u8 = url {
        reconnect_delay: 1ms,
        max_reconnect_delay: 1ms,
        max_message_bytes: usize::MAX,
    } => async |_, _| {};
}

#[tokio::test]
async fn a_message_that_no_memory_holds_is_refused_by_its_header() {
    let feed = Feed::new().await;
    let _server = start(unlimited(feed.url())).await;
    for announced in [1_u64 << 62, 1 << 40, (1 << 30) + 1] {
        let mut other = feed.accept().await;
        let header = [&[0x82, 127][..], &announced.to_be_bytes()].concat();
        other.stream().write_all(&header).await.unwrap();
        assert_eq!(other.close_code().await, 1009, "{announced}");
    }
    feed.accept().await;
}

pode_server! {
    server attentive(url: String);
    upstream FED: u8 = url {
        reconnect_delay: 1ms,
        max_reconnect_delay: 1ms,
        heartbeat: 50ms,
    } => async |_, _| {};
}

#[tokio::test]
async fn a_feed_that_vanishes_is_left_for_a_new_connection() {
    let feed = Feed::new().await;
    let _server = start(attentive(feed.url())).await;
    // From now on, nothing is read or answered.
    let _vanished = feed.accept().await;
    let _vanished = feed.accept().await;
    feed.accept().await;
}

pode_server! {
    server hasty(url: String);
    upstream HASTY: u8 = url {
        reconnect_delay: 1ms,
        max_reconnect_delay: 1ms,
        connect_timeout: 50ms,
    } => async |_, _| {};
}

#[tokio::test]
async fn a_handshake_that_is_not_answered_is_tried_again() {
    let feed = Feed::new().await;
    let _server = start(hasty(feed.url())).await;
    let _silent = feed.stream().await;
    feed.stream().await;
}

pode_server! {
    server unlucky(url: String);
    upstream REFUSES: u8 = url {
        reconnect_delay: 1ms,
        max_reconnect_delay: 1ms,
        on_connect: async |_| Err::<(), _>("not today"),
    } => async |_, _| {};
}

#[tokio::test]
async fn a_connection_that_cannot_begin_is_tried_again() {
    let feed = Feed::new().await;
    let _server = start(unlucky(feed.url())).await;
    assert_eq!(feed.accept().await.close_code().await, 1000);
    assert_eq!(feed.accept().await.close_code().await, 1000);
}

#[track_caller]
fn check(result: Result<(), UpstreamError>, sentence: &str) {
    assert_eq!(result.unwrap_err().to_string(), sentence);
}

#[tokio::test]
async fn what_is_sent_arrives_or_is_an_error() {
    let feed = Feed::new().await;
    let server = board(feed.url());
    let handle: Upstream<Subscribe> = server.upstream(FEED);
    let not_connected = "upstream `FEED` is not connected, so nothing was sent";
    check(handle.send(&Subscribe::to("a")).await, not_connected);

    let server = start(server).await;
    let mut other = feed.accept().await;
    assert_eq!(other.text().await, SUBSCRIBED);
    assert!(handle.is_connected());
    handle.send(&Subscribe::to("a")).await.unwrap();
    server.upstream(FEED).send(&Subscribe::to("b")).await.unwrap();
    send_prices(&mut other, [0]).await;
    for symbol in ["a", "b", "FEED"] {
        assert_eq!(other.text().await, format!("{{\"symbol\":\"{symbol}\"}}"));
    }
    let too_long = "a message of 43 bytes is too long for upstream `FEED`, which takes 32";
    check(handle.send(&Subscribe::to(&"a".repeat(30))).await, too_long);
    let unknown = server.upstream(REFUSES);
    assert!(!unknown.is_connected());

    drop((feed, other));
    let lost = async {
        while handle.is_connected() {
            tokio::task::yield_now().await;
        }
    };
    within(lost, "the end of the connection").await;
    check(handle.send(&Subscribe::to("a")).await, not_connected);
    server.stop().await;
    check(handle.send(&Subscribe::to("a")).await, "the server of upstream `FEED` has stopped");
}

#[tokio::test]
async fn an_upstream_of_another_server_is_unknown() {
    let server = start(attentive("ws://127.0.0.1:1".into())).await;
    let handle = server.upstream(FEED);
    check(handle.send(&Subscribe::to("a")).await, "no upstream `FEED` is declared");
}

pode_server! {
    server slow(url: String, gate: Arc<Barrier>);
    state BARRIER: Arc<Barrier> = gate;
    upstream SLOW: u32 -> u32 = url => async |event: UpstreamEvent<u32>, number| {
        let gate = event.state(BARRIER);
        // The test waits until the message is being handled, then lets the
        // handler end.
        gate.wait().await;
        gate.wait().await;
        event.reply(&(number + 1)).await
    };
}

#[tokio::test]
async fn stopping_waits_for_a_handler_and_takes_leave() {
    let (feed, gate) = (Feed::new().await, Arc::new(Barrier::new(2)));
    let server = start(slow(feed.url(), Arc::clone(&gate))).await;
    let mut other = feed.accept().await;
    other.send(Message::text("1")).await;
    other.send(Message::text("5")).await;
    within(gate.wait(), "the message").await;
    let stopped = tokio::spawn(server.stop());
    within(gate.wait(), "the handler").await;
    assert_eq!(other.text().await, "2");
    // The other message was no longer read.
    assert_eq!(other.close_code().await, 1001);
    drop(other);
    within(stopped, "the stop").await.unwrap();
}

#[tokio::test]
async fn stopping_ends_attempts_to_connect() {
    // Nothing is accepted, and then nothing listens.
    let feed = Feed::new().await;
    let server = start(slow(feed.url(), Arc::new(Barrier::new(2)))).await;
    let _waiting = feed.stream().await;
    within(server.stop(), "the stop").await;
    let address = feed.address();
    drop(feed);
    let server = start(slow(format!("ws://{address}"), Arc::new(Barrier::new(2)))).await;
    within(server.stop(), "the stop").await;
}

#[tokio::test]
async fn a_dropped_server_cuts_a_handler_off() {
    let (feed, gate) = (Feed::new().await, Arc::new(Barrier::new(2)));
    let service = slow(feed.url(), Arc::clone(&gate)).into_service().unwrap();
    let mut other = feed.accept().await;
    other.send(Message::text("1")).await;
    within(gate.wait(), "the message").await;
    drop(service);
    // The handler and its server held the gate, too.
    let alone = async {
        while Arc::strong_count(&gate) > 1 {
            tokio::task::yield_now().await;
        }
    };
    within(alone, "the end of the handler").await;
}

const FOLDER: &str = "behavior/certificates";

pode_server! {
    server secured(certificate: Certificate);
    endpoint wss "127.0.0.1:0" { certificate: certificate };
    signal SAFE: u32 = "/safe";
}

pode_server! {
    server trusting(url: String, roots: Roots, ready: Arc<Barrier>);
    endpoint ws "127.0.0.1:0";
    state READY: Arc<Barrier> = ready;
    signal RELAYED: u32 = "/relayed";
    upstream SAFE_FEED: u32 = url {
        reconnect_delay: 1ms,
        max_reconnect_delay: 1ms,
        roots: roots,
        on_connect: async |event| { event.state(READY).wait().await; },
    } => async |event, number| event.send(RELAYED, &number).await;
}

#[tokio::test]
async fn a_feed_behind_tls_is_trusted_by_its_root() {
    let certificate =
        pode::certificate::pem(format!("{FOLDER}/chain.pem"), format!("{FOLDER}/key.pem"));
    let feed = start(secured(certificate)).await;
    let url = format!("wss://localhost:{}/safe", feed.address(Protocol::Wss).unwrap().port());
    let ready = Arc::new(Barrier::new(2));
    let root = format!("{FOLDER}/root.pem");
    for roots in [roots_of(&root), pode::system_roots_and(&root)] {
        let server = start(trusting(url.clone(), roots, Arc::clone(&ready))).await;
        let mut client = Client::connect(&server, "/relayed").await;
        within(ready.wait(), "the connection").await;
        feed.signals().send(SAFE, &42).await.unwrap();
        assert_eq!(client.text().await, "42");
        drop(client);
        server.stop().await;
    }
}

/// Accepts TLS with the certificates of the tests.
fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(format!("{FOLDER}/chain.pem")).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(format!("{FOLDER}/key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_feed_that_is_somebody_else_is_told_nothing() {
    let feed = Feed::new().await;
    let url = format!("wss://localhost:{}", feed.address().port());
    let root = other_root();
    let server = start(trusting(url.clone(), roots_of(&root), Arc::new(Barrier::new(1)))).await;
    std::fs::remove_file(root).unwrap();
    for _ in 0..2 {
        let handshake = acceptor().accept(feed.stream().await);
        assert!(within(handshake, "an alert").await.is_err());
    }
    server.stop().await;

    // The root alone makes the difference.
    let root = roots_of(format!("{FOLDER}/root.pem"));
    let _server = start(trusting(url, root, Arc::new(Barrier::new(1)))).await;
    loop {
        // The last attempt of the stopped server may still wait.
        let handshake = acceptor().accept(feed.stream().await);
        if let Ok(stream) = within(handshake, "a TLS handshake").await {
            Client::accept(stream).await;
            break;
        }
    }
}

/// Makes a file of a certificate that signs no other.
fn other_root() -> std::path::PathBuf {
    let chain = std::fs::read_to_string(format!("{FOLDER}/chain.pem")).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let length = chain.find(end).unwrap() + end.len();
    // Another run of the tests may write it at the same time.
    let name = format!("other-root-{}.pem", std::process::id());
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, &chain[..length]).unwrap();
    file
}

#[tokio::test]
async fn what_only_the_start_can_know_is_judged_there() {
    let error = start_error(attentive("https://feed.example/?secret".into())).await;
    assert!(matches!(error, StartError::UpstreamUrl { upstream: "FED", .. }));
    let sentence = "upstream `FED`: the URL `https://feed.example/` is no WebSocket's; \
                    did you mean `wss://feed.example/`?";
    assert_eq!(error.to_string(), sentence);

    let roots = |file: &str| {
        let roots = roots_of(format!("{FOLDER}/{file}"));
        trusting("wss://localhost:1".into(), roots, Arc::new(Barrier::new(1)))
    };
    let said =
        [("nothing.pem", "there is no file at "), ("password.txt", "it holds no certificate")];
    for (file, reason) in said {
        let error = pode::Error::from(start_error(roots(file)).await);
        let sentence =
            format!("upstream `SAFE_FEED` can't use the roots in `{FOLDER}/{file}`: {reason}");
        assert!(format!("{error:?}").starts_with(&sentence), "{error:?}");
    }
}

async fn start_error(server: Server) -> StartError {
    match server.start().await.unwrap_err() {
        pode::Error::Start(error) => error,
        other => panic!("{other:?}"),
    }
}
