//! Which clients are accepted, and that each of them is reported as
//! disconnected exactly once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pode::prelude::*;
use pode::{ClientIdError, DisconnectReason, Protocol, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, bare_client, handshake, start, within};

/// The clients that connected, and why they disconnected.
#[derive(Clone)]
struct Log {
    connects: Arc<AtomicUsize>,
    disconnects: mpsc::UnboundedSender<(String, DisconnectReason)>,
    /// Accepts the next waiting client.
    next: Arc<Semaphore>,
}

/// The state of a client, besides its id.
struct Visitor {
    name: String,
}

/// `?name=Ada&chair=3`
#[derive(Deserialize)]
struct Seat {
    name: String,
    chair: u8,
}

pode_server! {
    server visits(log: Log) { stop_timeout: 30s };
    endpoint ws "127.0.0.1:0";
    state LOG: Log = log;
    signal HALL: String -> String = "/hall" { messages_per_second: 2 } => ignore;
    on connect HALL => enter;
    on disconnect HALL => leave;
    signal SILENT: String = "/silent" { heartbeat: 1s };
    on connect SILENT => enter;
    on disconnect SILENT => leave;
    signal SMALL: u8 = "/small" { max_clients: 3, max_clients_per_address: 2 };
    signal SEAT: u8 = "/seat" { max_clients: 1 };
    on disconnect SEAT => clear;
    signal CHAIR: u8 = "/chair" { max_clients: 1 };
    on connect CHAIR => async |event| {
        event.set_client_id(event.query().parse()?);
        Ok::<_, ClientIdError>(())
    };
    signal BROKEN: u8 = "/broken";
    on connect BROKEN => async |_| Err::<(), _>("a secret reason");
    signal PANICS: u8 = "/panics";
    on connect PANICS => panics;
    signal QUEUE: u8 = "/queue";
    on connect QUEUE => wait;
    on disconnect QUEUE => async |event| {
        let _ = event.state(LOG).disconnects.send(("client".to_owned(), event.reason()));
        Ok::<_, EventError>(())
    };
    signal TABLE: String = "/table";
    on connect TABLE => async |event| {
        let Seat { name, chair } = event.read_query()?;
        event.greet(&format!("{name} has chair {chair}"))
    };
}

async fn enter(event: ConnectEvent<String>) -> Result<(), EventError> {
    event.state(LOG).connects.fetch_add(1, Ordering::Relaxed);
    if event.query() == "refuse" {
        return Err(EventError::new(403, "not you"));
    }
    if event.query() == "token" && event.cookie("token").as_deref() != Some("open sesame") {
        return Err(EventError::new(401, "who are you?"));
    }
    if event.query() == "protocol" {
        event.choose_protocol("hall.v1")?;
    }
    let name = event.query().to_owned();
    event.greet(&format!("welcome, {name}"))?;
    event.set_state(Visitor { name });
    Ok(())
}

async fn leave(event: DisconnectEvent) -> Result<(), EventError> {
    let name = event.client().state::<Visitor>()?.name.clone();
    let _ = event.state(LOG).disconnects.send((name, event.reason()));
    Ok(())
}

async fn ignore(_: SignalEvent<String>, _message: String) {}

async fn panics(_: ConnectEvent<u8>) {
    panic!("as the test wants it")
}

/// Waits to be let go.
async fn clear(event: DisconnectEvent) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let log = event.state(LOG);
    log.disconnects.send(("a seat".to_owned(), event.reason()))?;
    log.next.acquire().await?.forget();
    Ok(())
}

/// Never returns.
async fn wait(event: ConnectEvent<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let log = event.state(LOG);
    log.disconnects.send(("nobody, since a handler waits".to_owned(), DisconnectReason::Lost))?;
    log.next.acquire().await?.forget();
    Ok(())
}

struct Visits {
    server: RunningServer,
    connects: Arc<AtomicUsize>,
    disconnects: mpsc::UnboundedReceiver<(String, DisconnectReason)>,
    next: Arc<Semaphore>,
}

impl Visits {
    async fn start() -> Visits {
        let (sender, disconnects) = mpsc::unbounded_channel();
        let (connects, next) = (Arc::default(), Arc::new(Semaphore::new(0)));
        let log =
            Log { connects: Arc::clone(&connects), disconnects: sender, next: Arc::clone(&next) };
        Visits { server: start(visits(log)).await, connects, disconnects, next }
    }

    /// Connects with a query.
    async fn connect(&self, query: &str) -> Client {
        let mut client = Client::connect(&self.server, &format!("/hall?{query}")).await;
        assert_eq!(client.text().await, format!("\"welcome, {query}\""));
        client
    }

    async fn next_disconnect(&mut self) -> (String, DisconnectReason) {
        within(self.disconnects.recv(), "a disconnect").await.unwrap()
    }
}

#[tokio::test]
async fn why_a_client_has_gone_is_told() {
    let mut visits = Visits::start().await;
    visits.connect("leaves").await.leave(4321).await;
    let told = visits.next_disconnect().await;
    assert_eq!(told, ("leaves".to_owned(), DisconnectReason::ByClient { code: Some(4321) }));

    let mut closed = visits.connect("closed").await;
    visits.server.signals().clients(HALL).close_all(4000, "bye").await.unwrap();
    assert_eq!(closed.close_code().await, 4000);
    let told = visits.next_disconnect().await;
    assert_eq!(told, ("closed".to_owned(), DisconnectReason::ByServer { code: 4000 }));

    let mut hasty = visits.connect("hasty").await;
    // More than may connect within the longest timeout here.
    for _ in 0..100 {
        hasty.say("\"hi\"").await;
    }
    assert!(hasty.text().await.contains("too many messages"));
    assert_eq!(hasty.close_code().await, 1008);
    let told = visits.next_disconnect().await;
    assert_eq!(told, ("hasty".to_owned(), DisconnectReason::Error { code: 1008 }));

    drop(visits.connect("vanishes").await);
    assert_eq!(visits.next_disconnect().await, ("vanishes".to_owned(), DisconnectReason::Lost));

    // Answers no pings, since nothing reads what it receives.
    let silent = Client::connect(&visits.server, "/silent?silent").await;
    assert_eq!(visits.next_disconnect().await, ("silent".to_owned(), DisconnectReason::TimedOut));
    drop(silent);

    let mut stays = visits.connect("stays").await;
    let Visits { server, mut disconnects, .. } = visits;
    let (code, ()) = tokio::join!(stays.close_code(), server.stop());
    assert_eq!(code, 1001);
    assert_eq!(disconnects.recv().await, Some(("stays".to_owned(), DisconnectReason::Stopped)));
    assert_eq!(disconnects.recv().await, None);
}

#[tokio::test]
async fn a_handler_may_refuse_by_a_status() {
    let visits = Visits::start().await;
    let address = visits.server.address(pode::Protocol::Ws).unwrap();
    let refusal = async |path: &str, headers: &[(&'static str, &str)]| {
        Client::handshake(address, path, headers).await.map(drop).unwrap_err()
    };
    assert_eq!(refusal("/hall?refuse", &[]).await, (403, "not you".to_owned()));
    assert_eq!(refusal("/hall?token", &[]).await, (401, "who are you?".to_owned()));
    let wrong = [("cookie", "token=open%20barley")];
    assert_eq!(refusal("/hall?token", &wrong).await.0, 401);
    let right = [("cookie", "a=b; token=open%20sesame")];
    assert!(Client::handshake(address, "/hall?token", &right).await.is_ok());
    let sentence = "the server could not admit this client";
    assert_eq!(refusal("/broken", &[]).await, (500, sentence.to_owned()));
    assert_eq!(refusal("/panics", &[]).await, (500, sentence.to_owned()));
}

#[tokio::test]
async fn whoever_goes_while_its_handler_waits_is_told_to_have_left() {
    let mut visits = Visits::start().await;
    let wire = Wire::ask(&visits.server, "/queue").await;
    assert_eq!(visits.next_disconnect().await.0, "nobody, since a handler waits");
    drop(wire);
    // While another client connects and disconnects, the server sees that this
    // one has disconnected.
    visits.connect("another").await.leave(1000).await;
    assert_eq!(visits.next_disconnect().await.0, "another");
    visits.next.add_permits(1);
    assert_eq!(visits.next_disconnect().await, ("client".to_owned(), DisconnectReason::Lost));
    visits.server.stop().await;
    assert_eq!(visits.disconnects.recv().await, None);
}

#[tokio::test]
async fn a_query_is_read_as_that_of_a_route() {
    let visits = Visits::start().await;
    let mut client = Client::connect(&visits.server, "/table?name=Ad%C3%A1+L&chair=3").await;
    assert_eq!(client.text().await, r#""Adá L has chair 3""#);
    let address = visits.server.address(pode::Protocol::Ws).unwrap();
    for (path, sentence) in [
        ("/table", "query: missing field `name`"),
        ("/table?name=Ada&chair=x", "query: field `chair`: invalid digit found in string"),
    ] {
        let refusal = Client::handshake(address, path, &[]).await.map(drop).unwrap_err();
        assert_eq!(refusal, (400, sentence.to_owned()));
    }
}

#[tokio::test]
async fn a_subprotocol_is_spoken_if_both_sides_know_it() {
    let visits = Visits::start().await;
    let address = visits.server.address(pode::Protocol::Ws).unwrap();
    let offer = async |names: &'static str| {
        let offered = [("sec-websocket-protocol", names)];
        Client::handshake(address, "/hall?protocol", &offered).await
    };
    let (_client, told) = offer("hall.v2, hall.v1").await.unwrap();
    assert_eq!(told["sec-websocket-protocol"], "hall.v1");
    assert_eq!(offer("hall.v2").await.map(drop).unwrap_err().0, 400);
}

#[tokio::test]
async fn no_more_come_in_than_may() {
    let visits = Visits::start().await;
    let address = visits.server.address(pode::Protocol::Ws).unwrap();
    let first = Client::connect_at(address, "/small").await.unwrap();
    let _second = Client::connect_at(address, "/small").await.unwrap();
    assert_eq!(Client::connect_at(address, "/small").await.map(drop), Err(429));
    first.leave(1000).await;
    let third = Client::connect_at(address, "/small").await;
    let _third = third.expect("whoever has said goodbye counts no more");
}

/// A connection of which the test controls every byte.
struct Wire(TcpStream);

impl Wire {
    /// Sends a handshake, without waiting for the response.
    async fn ask(server: &RunningServer, path: &str) -> Wire {
        let address = server.address(pode::Protocol::Ws).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(handshake(path).as_bytes()).await.unwrap();
        Wire(stream)
    }

    /// Waits for the head of the response, and returns its status.
    async fn answer(&mut self) -> u16 {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8(), "an answer").await.unwrap());
        }
        std::str::from_utf8(&head[9..12]).unwrap().parse().unwrap()
    }

    /// Reads until the server ends the connection.
    async fn end(mut self) {
        let mut rest = Vec::new();
        let _ = within(self.0.read_to_end(&mut rest), "the end").await;
    }
}

/// The ways in which connections end, one after the other.
async fn visit(server: &RunningServer, turn: usize) {
    let mut wire = match turn % 8 {
        0 => return assert_eq!(Wire::ask(server, "/hall?refuse").await.answer().await, 403),
        // Doesn't wait for the response.
        1 => return drop(Wire::ask(server, "/hall?hasty").await),
        // The heartbeat ends a silent connection, whatever its state by then.
        2 => return Wire::ask(server, "/silent?guest").await.end().await,
        _ => Wire::ask(server, "/hall?guest").await,
    };
    assert_eq!(wire.answer().await, 101);
    match turn % 8 {
        3 => {
            // A close frame, masked by zeros.
            wire.0.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
            wire.end().await;
        }
        4 => {
            let socket = wire.0.into_std().unwrap();
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
        }
        5 => {
            // Half a frame, then the end of the client's half of the
            // connection.
            wire.0.write_all(b"\x81\x85\0").await.unwrap();
            wire.0.shutdown().await.unwrap();
            wire.end().await;
        }
        6 => {
            // An unmasked frame, which no client may send.
            wire.0.write_all(b"\x81\x02hi").await.unwrap();
            wire.end().await;
        }
        _ => drop(wire),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_who_come_and_go_are_told_exactly_once() {
    const VISITS: usize = 10_000;
    let mut visits = Visits::start().await;
    let server = Arc::new(visits.server);
    // Timeouts take seconds, so many clients are connected at once.
    let next = Arc::new(AtomicUsize::new(0));
    let visitors: Vec<_> = (0..400)
        .map(|_| {
            let (server, next) = (Arc::clone(&server), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= VISITS {
                        return;
                    }
                    visit(&server, turn).await;
                }
            })
        })
        .collect();
    for visitor in visitors {
        visitor.await.unwrap();
    }
    let address = server.address(pode::Protocol::Ws).unwrap();
    let mut stays = Vec::new();
    for _ in 0..8 {
        stays.push(Client::connect_at(address, "/hall?stays").await.unwrap());
    }
    let told_to_go = stays.iter_mut().map(async |client| {
        assert_eq!(client.text().await, "\"welcome, stays\"");
        assert_eq!(client.close_code().await, 1001);
    });
    let stopped = Arc::into_inner(server).unwrap().stop();
    tokio::join!(stopped, futures_util::future::join_all(told_to_go));

    let mut told: HashMap<(String, &str), usize> = HashMap::new();
    while let Some((name, reason)) = visits.disconnects.recv().await {
        let reason = match reason {
            DisconnectReason::ByClient { .. } => "by client",
            DisconnectReason::Error { .. } => "error",
            DisconnectReason::TimedOut => "timed out",
            DisconnectReason::Stopped => "stopped",
            DisconnectReason::Lost => "lost",
            _ => "else",
        };
        *told.entry((name, reason)).or_default() += 1;
    }
    let hasty = told.iter().filter(|((name, _), _)| name == "hasty").map(|(_, count)| count);
    let hasty: usize = hasty.sum();
    let guests = |reason| told.get(&("guest".to_owned(), reason)).copied().unwrap_or_default();
    let each = VISITS / 8;
    assert_eq!(guests("by client"), each, "{told:?}");
    assert_eq!(guests("error"), each, "{told:?}");
    assert_eq!(guests("timed out"), each, "{told:?}");
    assert_eq!(guests("lost"), 3 * each, "{told:?}");
    assert_eq!(told[&("stays".to_owned(), "stopped")], 8, "{told:?}");
    // The handler also ran for the refused clients. Of the clients that don't
    // wait, some have disconnected before.
    let asked = visits.connects.load(Ordering::Relaxed);
    assert_eq!(asked, each + 6 * each + 8 + hasty, "{told:?}");
    assert!(hasty <= each);
}

#[tokio::test]
async fn a_client_has_its_place_until_its_disconnect_is_handled() {
    let mut visits = Visits::start().await;
    let address = visits.server.address(Protocol::Ws).unwrap();
    let mut client = Client::connect_at(address, "/seat").await.unwrap();
    for _ in 0..3 {
        client.leave(1000).await;
        visits.next_disconnect().await;
        for _ in 0..3 {
            assert_eq!(Client::connect_at(address, "/seat").await.err(), Some(503));
        }
        visits.next.add_permits(1);
        let free = async {
            loop {
                if let Ok(client) = Client::connect_at(address, "/seat").await {
                    return client;
                }
            }
        };
        client = within(free, "the place").await;
    }
}

/// Connects a client of `pode.v1`, if it is let in; returns its next offer, too.
async fn sit(server: &RunningServer, path: &str, offer: &str) -> Result<(Client, String), u16> {
    let address = server.address(Protocol::Ws).unwrap();
    let headers = [("sec-websocket-protocol", offer)];
    let (mut client, _) = Client::handshake(address, path, &headers).await.unwrap();
    match client.message().await {
        Message::Close(Some(frame)) => Err(frame.code.into()),
        hello => {
            let hello: serde_json::Value = serde_json::from_str(hello.to_text().unwrap()).unwrap();
            let ticket = hello["ticket"].as_str().unwrap();
            Ok((client, format!("pode.v1, pode.ticket.{ticket}")))
        }
    }
}

/// The network has lost a connection, and the server doesn't know.
#[tokio::test]
async fn who_comes_back_to_a_full_signal_has_its_own_place() {
    let mut visits = Visits::start().await;
    let server = &visits.server;
    let (mut lost, offer) = sit(server, "/seat", "pode.v1").await.unwrap();
    // Of very many at once, one is let in.
    let came = join_all((0..100).map(|_| sit(server, "/seat", &offer))).await;
    let (come, refused): (Vec<_>, Vec<_>) = came.into_iter().partition(Result::is_ok);
    let refused = refused.into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!(refused, [4503; 99]);
    let (mut back, offer) = come.into_iter().next().unwrap().unwrap();
    assert_eq!(lost.close_code().await, 4409);
    let replaced = ("a seat".to_owned(), DisconnectReason::ByServer { code: 4409 });
    assert_eq!(within(visits.disconnects.recv(), "a disconnect").await, Some(replaced));
    // The one before counts until all is done for it.
    assert_eq!(sit(server, "/seat", &offer).await.err(), Some(4503));
    visits.next.add_permits(1);
    let next = async {
        loop {
            if let Ok(next) = sit(server, "/seat", &offer).await {
                return next;
            }
        }
    };
    let (mut next, _) = within(next, "the place").await;
    assert_eq!(back.close_code().await, 4409);
    visits.next.add_permits(1);
    within(visits.disconnects.recv(), "a disconnect").await;
    // Others still have none.
    assert_eq!(sit(server, "/seat", "pode.v1").await.err(), Some(4503));
    visits.next.add_permits(1);
    visits.server.stop().await;
    assert_eq!(next.close_code().await, 1001);
}

#[tokio::test]
async fn a_place_is_that_of_a_client_and_of_its_address() {
    let visits = Visits::start().await;
    let server = &visits.server;
    let (mut ada, of_ada) = sit(server, "/chair?ada", "pode.v1").await.unwrap();
    // The program says that it is somebody else.
    assert_eq!(sit(server, "/chair?bob", &of_ada).await.err(), Some(4503));
    let (_ada, _) = sit(server, "/chair?ada", &of_ada).await.unwrap();
    assert_eq!(ada.close_code().await, 4001);

    let (_first, _) = sit(server, "/small", "pode.v1").await.unwrap();
    let (mut second, offer) = sit(server, "/small", "pode.v1").await.unwrap();
    assert_eq!(sit(server, "/small", "pode.v1").await.err(), Some(4429));
    let (back, offer) = sit(server, "/small", &offer).await.unwrap();
    assert_eq!(second.close_code().await, 4409);
    drop(back);
    // Nobody is there whose place it would be, and it is free in time.
    let free = async { while sit(server, "/small", &offer).await.is_err() {} };
    within(free, "a place").await;
}

#[tokio::test]
async fn a_client_that_is_closed_is_no_longer_found() {
    let visits = Visits::start().await;
    let mut rude = bare_client(&visits.server, "/small").await;
    let clients = visits.server.signals().clients(SMALL);
    assert_eq!(clients.list().await.unwrap().len(), 1);
    // It says something where nothing is taken, and doesn't answer the close.
    rude.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
    assert_eq!(within(rude.read_u8(), "a close frame").await.unwrap(), 0x88);
    assert_eq!(clients.list().await.unwrap(), []);
}
