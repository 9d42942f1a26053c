//! Faults: a panic ends only the request, the message or the tick in which it
//! happens, and is logged once; untrusted text stays within its line of the
//! log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use pode::Protocol;
use pode::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use warp::Filter;

use crate::support::{Client, Process, get, handshake, request_at, start, this_test};

pode_server! {
    server fragile;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    views "behavior/views";
    state TOLD: Told = Told::default();
    route GET  "/route" => async |_| -> () { panic!("boom: route") };
    route GET  "/reply" => async |_| json(&Bomb("reply"));
    route GET  "/view" => async |_| view("hello").with(&BTreeMap::from([("name", Bomb("view"))]));
    route POST "/argument" (json: Fuse) => async |_, _: Fuse| ();
    route GET  "/fails" (query: Said) => async |_, said: Said| Err::<(), _>(said.text);
    route GET  "/quotes" (query: Said) => async |_, said: Said| -> () { panic!("{}", said.text) };
    route GET  "/fine" => async |_| text("fine");
    mount "/mounted" warp::path("boom").map(|| -> String { panic!("boom: mount") });
    signal TALK: String -> String = "/" => talk;
    signal FAILS: String -> String = "/fails" => async |_, said: String| Err::<(), _>(said);
    signal FUSES: Fuse -> String = "/fuses" => async |_, _: Fuse| ();
    signal KEYHOLE: String = "/keyhole/:fuse" (fuse: Fuse);
    on connect KEYHOLE => async |_, _: Fuse| ();
    signal DOOR: String = "/door";
    on connect DOOR => async |event| -> () {
        assert!(event.query().is_empty(), "boom: connect");
    };
    on disconnect DOOR => async |event| -> () {
        if !event.state(TOLD).0.swap(true, Ordering::Relaxed) {
            panic!("boom: disconnect");
        }
    };
    timer "tick" every 10ms { limit: 2 } => async |event| -> Result<(), SendError> {
        assert!(event.count() > 1, "boom: timer");
        event.send(TALK, &"ticked".to_owned()).await
    };
    schedule "start" cron "0 0 1 1 *" { on_start: true } => async |_| -> () { panic!("boom: schedule") };
}

pode_server! {
    server explosive;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    route GET "/:left" (left: u32) => async |_, left| -> () { std::panic::panic_any(Grenade { left }) };
    route GET "/" => async |_| text("fine");
    signal BLASTS: u32 -> String = "/blasts" => async |_, left: u32| -> () {
        std::panic::panic_any(Grenade { left })
    };
    signal GATE: String = "/gate";
    on connect GATE => async |_| -> () { std::panic::panic_any(Grenade { left: 3 }) };
    on disconnect BLASTS => async |_| Err::<(), _>(Unspeakable);
    signal TICKS: u64 = "/ticks";
    timer "tick" every 10ms => async |event| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if event.count() <= 2 {
            return Err(Unspeakable.into());
        }
        Ok(event.send(TICKS, &event.count()).await?)
    };
}

/// Panics when it is dropped, with another as the payload.
struct Grenade {
    left: u32,
}

impl Drop for Grenade {
    fn drop(&mut self) {
        if self.left > 0 && !std::thread::panicking() {
            std::panic::panic_any(Grenade { left: self.left - 1 });
        }
    }
}

/// An error that panics when it is displayed.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("boom: error")
    }
}

impl std::error::Error for Unspeakable {}

#[derive(Deserialize)]
struct Said {
    text: String,
}

/// Whether the first panic of its handler is over.
#[derive(Default)]
struct Told(AtomicBool);

/// A value whose serialization panics.
struct Bomb(&'static str);

impl Serialize for Bomb {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("boom: {}", self.0)
    }
}

/// A value whose deserialization panics, if its text says so.
#[derive(Clone)]
struct Fuse;

impl<'de> Deserialize<'de> for Fuse {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Fuse, D::Error> {
        let said = String::deserialize(deserializer)?;
        assert!(said == "fine", "boom: {said}");
        Ok(Fuse)
    }
}

impl std::str::FromStr for Fuse {
    type Err = String;

    fn from_str(said: &str) -> Result<Fuse, String> {
        assert!(said == "fine", "boom: {said}");
        Ok(Fuse)
    }
}

impl std::fmt::Display for Fuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("fine")
    }
}

async fn talk(event: SignalEvent<String>, said: String) -> Result<(), SendError> {
    assert!(said != "boom", "boom: signal");
    event.send(TALK, &said).await
}

const PROGRAM: &str = "PODE_TEST_FRAGILE";

/// The program of the test below, which counts what it logs.
#[test]
fn program() {
    if std::env::var_os(PROGRAM).is_some() {
        pode::log_to_terminal();
        fragile().run_blocking().unwrap();
    }
}

fn start_program() -> Process {
    Process::start(this_test("fault::program").env(PROGRAM, "yes"))
}

#[tokio::test]
async fn a_panic_ends_what_it_happens_in_and_nothing_else() {
    let mut program = start_program();
    let ws = program.address(Protocol::Ws).await;
    let http = program.address(Protocol::Http).await;

    for (method, path, body) in [
        ("GET", "/route", ""),
        ("GET", "/reply", ""),
        ("GET", "/view", ""),
        ("GET", "/mounted/boom", ""),
        ("POST", "/argument", "\"argument\""),
    ] {
        let json = [("Content-Type", "application/json")];
        let answer = request_at(http, method, path, &json, body.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.text()),
            (500, "the server could not answer this request"),
            "{path}"
        );
        assert_eq!(request_at(http, "GET", "/fine", &[], b"").await.text(), "fine");
    }

    // The second tick comes after the first, which panicked.
    let mut client = Client::connect_at(ws, "/").await.unwrap();
    client.say("\"boom\"").await;
    client.say("\"heard\"").await;
    while client.text().await != "\"heard\"" {}
    let mut fuses = Client::connect_at(ws, "/fuses").await.unwrap();
    fuses.say("\"message\"").await;
    fuses.say("\"fine\"").await;
    fuses.leave(1000).await;

    assert_eq!(Client::connect_at(ws, "/keyhole/parameter").await.err(), Some(500));
    Client::connect_at(ws, "/keyhole/fine").await.unwrap().leave(1000).await;
    assert_eq!(Client::connect_at(ws, "/door?boom=yes").await.err(), Some(500));
    for _ in 0..2 {
        Client::connect_at(ws, "/door").await.unwrap().leave(1000).await;
    }

    let places = [
        "route",
        "reply",
        "view",
        "mount",
        "argument",
        "signal",
        "message",
        "parameter",
        "connect",
        "disconnect",
        "timer",
        "schedule",
    ];
    for place in places {
        program.says(&format!("the handler panicked: boom: {place}")).await;
    }
    // One more request, so that any repeated line has been logged by then.
    let again = "the handler panicked: boom: route";
    program.says_next(again).await;
    request_at(http, "GET", "/route", &[], b"").await;
    program.says_next(again).await;
    let said = program.said();
    for place in &places[1..] {
        let line = format!("the handler panicked: boom: {place}");
        let logged = said.iter().filter(|said| said.contains(&line)).count();
        assert_eq!(logged, 1, "{place}: {said:#?}");
    }
}

#[tokio::test]
async fn what_panics_again_when_it_is_dropped_or_told_ends_nothing_else() {
    let server = start(explosive()).await;
    let ws = server.address(Protocol::Ws).unwrap();
    for left in 0..5 {
        assert_eq!(get(&server, &format!("/{left}")).await.status, 500);
        let mut client = Client::connect_at(ws, "/blasts").await.unwrap();
        for _ in 0..2 {
            client.say(&left.to_string()).await;
            let told = r#"{"error":"the server could not handle this message","status":500}"#;
            assert_eq!(client.text().await, told);
        }
        client.leave(1000).await;
        assert_eq!(Client::connect_at(ws, "/gate").await.err(), Some(500));
        assert_eq!(get(&server, "/").await.text(), "fine");
    }
    Client::connect_at(ws, "/ticks").await.unwrap().text().await;
    server.stop().await;
}

#[tokio::test]
async fn what_strangers_send_writes_no_line_of_the_log() {
    let program = start_program();
    let ws = program.address(Protocol::Ws).await;
    let http = program.address(Protocol::Http).await;
    let path = "/fails?text=one%0aERROR+two%1b%5b2Jthree%0d%00";
    assert_eq!(request_at(http, "GET", path, &[], b"").await.status, 500);
    let line = program.says("ERROR request{").await;
    assert!(line.ends_with(r": one\nERROR two\u{1b}[2Jthree\r\0"), "{line}");

    let path = "/quotes?text=six%0aERROR+seven%1b%5b2J";
    assert_eq!(request_at(http, "GET", path, &[], b"").await.status, 500);
    let line = program.says(": six").await;
    assert!(
        line.contains("' panicked at ") && line.ends_with(r": six\nERROR seven\u{1b}[2J"),
        "{line}"
    );

    let mut client = Client::connect_at(ws, "/fails").await.unwrap();
    client.say(r#""four\nERROR five\u001b""#).await;
    let line = program.says("four").await;
    assert!(line.contains(r": four\nERROR five\u{1b} signal="), "{line}");
}

#[tokio::test]
async fn a_subprotocol_that_nobody_chooses_is_told() {
    let program = start_program();
    let ws = program.address(Protocol::Ws).await;
    let mut page = TcpStream::connect(ws).await.unwrap();
    let offers = "\r\nSec-WebSocket-Protocol: bearer.secret\r\n\r\n";
    let handshake = handshake("/fails").replace("\r\n\r\n", offers);
    page.write_all(handshake.as_bytes()).await.unwrap();
    let line = program.says("no subprotocol is chosen").await;
    let told = r#"call `choose_protocol` in the handler of `on connect`"#;
    assert!(line.contains(told) && !line.contains("secret"), "{line}");
}
