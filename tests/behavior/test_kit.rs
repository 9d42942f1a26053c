//! `pode::test`: what users write their tests with.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use pode::certificate::{Certificate, ClientAuthorities, password_from_env, pem, required};
use pode::prelude::*;
use pode::test::{TestServer, start};
use serde_json::json;
use tokio::time::sleep;

#[cfg(target_os = "linux")]
use crate::support::this_test;
use crate::support::{FOLDER, PATIENCE};

/// What handlers note, in its order.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

pode_server! {
    server chat(notes: Notes) { client_ids: signed_by(secret_from_env("PODE_TEST_UNSET_SECRET")) };
    endpoint http "*:80";
    endpoint ws   "*:80";
    endpoint side ws 81 { hosts: ["*.example", "side.example"] };
    state NOTES: Notes = notes;
    signal ROOM: Say -> String = "/rooms/:room" (room: String) { messages_per_second: 5 } => hear;
    signal ASIDE: String = "/aside" { endpoint: side };
    signal BYTES: pode::RawMessage -> String = "/bytes" => echo;
    on connect ROOM => enter;
    on disconnect ROOM => leave;
    route GET "/who" => async |event: WebEvent| -> Result<_, EventError> {
        Ok(text(event.signal_client(room("the kitchen")).await?.to_string()))
    };
}

#[derive(Deserialize, Serialize)]
struct Say {
    text: String,
    pause_ms: u64,
}

fn say(text: &str) -> Say {
    Say { text: text.to_owned(), pause_ms: 0 }
}

async fn enter(event: ConnectEvent<String>, room: String) -> Result<(), EventError> {
    let name = event.cookie("name").ok_or(EventError::new(401, "who are you?"))?;
    if event.protocols().any(|offered| offered == "chat.v2") {
        event.choose_protocol("chat.v2")?;
    }
    let agent = event.headers().get("user-agent").map_or("nothing", |it| it.to_str().unwrap());
    event.greet(&format!("{name} is in {room} by {agent}, {}", event.query()))
}

async fn hear(event: SignalEvent<String>, room: String, say: Say) -> Result<(), SendError> {
    sleep(Duration::from_millis(say.pause_ms)).await;
    event.send(ROOM.at(&room), &say.text).except(event.client().id()).await
}

async fn leave(event: DisconnectEvent, room: String) -> Result<(), EventError> {
    sleep(Duration::from_millis(5)).await;
    event.state(NOTES).add(format!("one has left {room}: {:?}", event.reason()));
    Ok(())
}

async fn echo(event: SignalEvent<String>, message: pode::RawMessage) -> Result<(), SendError> {
    event.reply(&format!("{message:?}")).await
}

fn room(name: &str) -> pode::FamilyPath<String, Say> {
    ROOM.at(&name.to_owned())
}

async fn started() -> (TestServer, Notes) {
    let notes = Notes::default();
    (start(chat(notes.clone())).await, notes)
}

/// Returns what a test is told that fails.
async fn told(failing: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(failing).catch_unwind().await.expect_err("it should fail");
    *panic.downcast::<String>().expect("it is told in words")
}

#[tokio::test]
async fn a_client_has_all_that_a_handshake_may_have() {
    let (server, _) = started().await;
    let mut ada = server
        .connect(room("the kitchen"))
        .cookie("theme", "dark")
        .cookie("name", "Ada L.")
        .header("User-Agent", "test")
        .query(&[("a", "1")])
        .query(&[("b", "2")])
        .subprotocol("chat.v1")
        .subprotocol("chat.v2")
        .await;
    assert_eq!(ada.next().await, "Ada L. is in the kitchen by test, a=1&b=2");
    assert_eq!(ada.subprotocol(), Some("chat.v2"));
    assert_eq!(ada.headers()["x-pode-signal-name"], "/rooms/the%20kitchen");
    let who = server.get("/who").as_client(&ada).await.assert_status(200);
    assert!(ada.id().starts_with(&format!("s:{}.", who.text())), "{}", ada.id());

    let refused = server.connect(room("kitchen")).refused().await.assert_status(401);
    assert_eq!(refused.text(), "who are you?");
    let stranger = server.connect(room("kitchen")).origin("https://evil.example").refused().await;
    assert_eq!(stranger.status(), 403);

    // The signal is served at one endpoint, which is known by its hosts.
    let mut aside = server.connect(ASIDE).await;
    server.signals().send(ASIDE, &"here".to_owned()).await.unwrap();
    assert_eq!(aside.next_text().await, "\"here\"");
    server.connect(room("kitchen")).endpoint("side").cookie("name", "Bob").await;
    let misled = server.connect(ASIDE).header("Host", "side.test").refused().await;
    assert_eq!(misled.status(), 421);
}

#[tokio::test]
async fn texts_and_bytes_go_as_they_are() {
    let (server, _) = started().await;
    let mut client = server.connect(BYTES).await;
    client.send_text("{").await;
    assert_eq!(client.next().await, "Text(\"{\")");
    client.send_bytes(vec![1, 2]).await;
    assert!(client.next().await.starts_with("Binary("));
    client.send_json(&json!({ "a": 1 })).await;
    client.assert_next(&"Text(\"{\\\"a\\\":1}\")".to_owned()).await;
}

#[tokio::test]
async fn what_is_not_as_expected_is_told_with_its_place() {
    let (server, _) = started().await;
    let mut hasty = server.connect(ASIDE).await;
    hasty.set_deadline(Duration::from_millis(50));
    let text = told(async { drop(hasty.next().await) }).await;
    assert!(text.starts_with(file!()), "{text}");
    assert!(text.ends_with(": waited 50ms for a message on `/aside`"), "{text}");
    let text = told(async { drop(hasty.closed().await) }).await;
    assert!(text.ends_with(": waited 50ms for the end of the connection on `/aside`"), "{text}");

    let mut client = server.connect(ASIDE).await;
    let send = async |text: &str| server.signals().send(ASIDE, &text.to_owned()).await.unwrap();

    send("hi").await;
    let text = told(client.assert_next(&"ho".to_owned())).await;
    assert!(text.ends_with(r#": expected "ho" on `/aside`, got "hi""#), "{text}");
    send("hi").await;
    let text = told(client.next_json::<u32>().map(|_| ())).await;
    let wrong = r#": this is no u32: "hi": invalid type: string "hi", expected u32"#;
    assert!(text.contains(wrong), "{text}");
    send("hi").await;
    let text = told(client.assert_silent()).await;
    assert!(text.ends_with(r#": expected no message on `/aside`, got "hi""#), "{text}");
    send("hi").await;
    let text = told(async { drop(client.next_bytes().await) }).await;
    let wrong = r#"expected a binary message on `/aside`, got the text "\"hi\"""#;
    assert!(text.ends_with(wrong), "{text}");

    server.signals().clients(ASIDE).close_all(4001, "enough").await.unwrap();
    let text = told(async { drop(client.next().await) }).await;
    let closed = "but the connection was closed with 4001, \"enough\"";
    assert!(text.ends_with(&format!("expected a message on `/aside`, {closed}")), "{text}");
    let text = told(client.assert_silent()).await;
    assert!(text.contains("expected a silent client on `/aside`, but the connection"), "{text}");
    let closed = client.closed().await;
    assert_eq!((closed.code, &*closed.reason), (4001, "enough"));

    let text = told(async { drop(server.connect(room("a")).await) }).await;
    let refused = ": the client is refused on `/rooms/a`: 401 Unauthorized: who are you?";
    assert!(text.trim_end().ends_with(refused), "{text}");
    let text = told(async { drop(server.connect(ASIDE).refused().await) }).await;
    assert!(text.ends_with(": expected a refusal on `/aside`, but the client is in"), "{text}");
    let text = told(async { drop(server.get("/").endpoint("none").await) }).await;
    assert!(text.contains(": no endpoint `none` takes requests; there are: http://"), "{text}");
    let text = told(async {
        server.get("/who").await.assert_status(200);
    });
    let missing = "expected status 200 for GET /who, got 400 Bad Request: the header `X-Pode-Signal-Client-Id`";
    assert!(text.await.starts_with(missing));
    let text = told(async { drop(server.get("who").await) }).await;
    assert!(text.ends_with(r#": "who" is no path: it doesn't begin with `/`"#), "{text}");
    let text = told(server.invoke_timer("none")).await;
    assert!(text.ends_with(": nothing is invoked: no timer `none` is declared"), "{text}");
}

/// A handler that takes its time is waited for, whoever's message it handles.
#[tokio::test]
async fn silence_is_no_matter_of_time() {
    let (server, notes) = started().await;
    let connect = |place| server.connect(room(place)).cookie("name", "x");
    let (ada, mut bob, mut eve) =
        (connect("kitchen").await, connect("kitchen").await, connect("hall").await);
    for client in [&mut bob, &mut eve] {
        client.next().await;
        client.assert_silent().await;
    }
    ada.send(&Say { text: "slow".to_owned(), pause_ms: 30 }).await;
    ada.send(&say("quick")).await;
    eve.assert_silent().await;
    assert!(told(bob.assert_silent()).await.ends_with(r#"got "slow""#));
    assert_eq!(bob.next().await, "quick");
    bob.assert_silent().await;
    // Messages that are long on their way are waited for, too.
    let long = "x".repeat(20 << 20);
    server.signals().send(room("kitchen"), &long).await.unwrap();
    assert!(told(bob.assert_silent()).await.contains("expected no message"));

    ada.close().await;
    bob.close_with(4000, "bye").await;
    server.settle().await;
    let mut left = notes.take();
    left.sort();
    let by = |code: u16| format!("one has left kitchen: ByClient {{ code: Some({code}) }}");
    assert_eq!(left, [by(1000), by(4000)]);
}

pode_server! {
    server remembering;
    endpoint http "*:80";
    endpoint ws "*:80";
    signal FEED: u32 = "/feed" { history_messages: 30, replay: Messages(20) };
    signal PAIR: u32 = "/pairs/:pair" (pair: u32) { history_messages: 30, replay: All };
    route GET "/position" => async |event: WebEvent| json(&event.position(FEED));
}

/// What a test waits by is no message.
#[tokio::test]
async fn waiting_changes_no_history() {
    let server = start(remembering()).await;
    let mut early = server.connect(FEED).await;
    let mut of_pair = server.connect(PAIR.at(&1)).await;
    for number in 0..30 {
        server.signals().send(FEED, &number).await.unwrap();
        server.signals().send(PAIR.at(&1), &number).await.unwrap();
    }
    let position = server.get("/position").await.text().to_owned();
    for number in 0..30 {
        early.assert_next(&number).await;
        of_pair.assert_next(&number).await;
    }
    for _ in 0..20 {
        server.settle().await;
        tokio::join!(early.assert_silent(), of_pair.assert_silent());
    }
    assert_eq!(server.get("/position").await.text(), position);
    let mut late = server.connect(FEED).await;
    let mut late_of_pair = server.connect(PAIR.at(&1)).await;
    // Who is behind has what is replayed when it is silent.
    assert!(told(late.assert_silent()).await.contains("expected no message"));
    for number in 11..30 {
        late.assert_next(&number).await;
    }
    for number in 0..30 {
        late_of_pair.assert_next(&number).await;
    }
    tokio::join!(late.assert_silent(), late_of_pair.assert_silent());
}

/// Whatever order tasks run in, what was sent has come, and the end was handled.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn settling_is_reliable() {
    let (server, notes) = started().await;
    for round in 0..100 {
        let connect = || server.connect(room("kitchen")).cookie("name", "x");
        let (ada, mut bob) = tokio::join!(connect(), connect());
        bob.next().await;
        ada.send(&Say { text: round.to_string(), pause_ms: round % 3 }).await;
        server.settle().await;
        assert!(told(bob.assert_silent()).await.ends_with(&format!("got \"{round}\"")));
        tokio::join!(ada.close(), bob.close());
        server.settle().await;
        assert_eq!(notes.take().len(), 2, "{round}");
    }
}

pode_server! {
    server site;
    endpoint http "127.0.0.1:80";
    endpoint inner http "127.0.0.1:0";
    route GET    "/query"  (query: Query)    => async |_, query: Query| json(&query.words);
    route POST   "/form"   (form: Query)     => async |_, form: Query| json(&form.words);
    route PUT    "/json"   (json: Vec<u32>)  => async |_, numbers: Vec<u32>| json(&numbers);
    route PATCH  "/body"   (body: Vec<u8>)   => async |_, body: Vec<u8>| bytes("image/png", body);
    route DELETE "/cookie" => async |event: WebEvent| {
        text(event.cookie("a").unwrap_or_default()).with_header("Set-Cookie", "c=d; Path=/")
    };
    route POST   "/parts"  (multipart: Multipart) => tell_parts;
    route GET "/inner" { endpoint: inner } => redirect "/query";
}

async fn tell_parts(_: WebEvent, mut form: Multipart) -> Result<impl Reply, EventError> {
    let mut parts = Vec::new();
    while let Some(part) = form.next().await? {
        let names = format!("{:?} {:?}", part.name(), part.file_name());
        parts.push(format!("{names} {:?}", part.bytes().await?));
    }
    Ok(text(parts.join(", ")))
}

#[derive(Deserialize, Serialize)]
struct Query {
    words: Vec<String>,
}

#[tokio::test]
async fn requests_have_all_that_they_may_have() {
    let server = start(site()).await;
    let words = ["a b", "c&d=é"].map(str::to_owned).to_vec();
    let query = Query { words: words.clone() };
    let response = server.get("/query").query(&query).await.assert_status(200);
    assert_eq!(response.json::<Vec<String>>(), words);
    assert_eq!(response.header("content-type"), Some("application/json"));
    let response = server.post("/form").form(&query).await;
    assert_eq!(response.json::<Vec<String>>(), words);
    assert_eq!(server.put("/json").json(&[1, 2]).await.text(), "[1,2]");
    assert_eq!(server.patch("/body").body(vec![0, 255]).await.bytes()[..], [0, 255]);
    let response = server.delete("/cookie").cookie("x", "y").cookie("a", "é;").await;
    assert_eq!(response.text(), "é;");
    assert_eq!(response.cookie("c").unwrap().value(), "d");
    let response = server.post("/parts").part("name", "Ada").file("photo", "a.png", [1, 2]).await;
    let parts = r#"Some("name") None b"Ada", Some("photo") Some("a.png") b"\x01\x02""#;
    assert_eq!(response.text(), parts);
    let head = server.head("/query?words=x").await.assert_status(200);
    assert!(head.bytes().is_empty());
    assert!(server.options("/form").await.header("allow").unwrap().contains("POST"));
    server.get("/form").await.assert_status(405);
    let moved = server.get("/inner").endpoint("inner").await;
    assert_eq!(moved.header("location"), Some("/query"));
    let others = server.put("/json").json(&[1]).origin("https://evil.example").await;
    assert_eq!(others.status(), 403);
    assert!(server.url(Some("inner")).starts_with("http://127.0.0.1:"));
}

/// Whatever else is said of it before or after.
#[tokio::test]
async fn a_request_has_one_content_type_that_of_the_test() {
    let server = start(site()).await;
    for wrong in [
        server.put("/json").json(&1).header("content-type", "text/plain"),
        server.put("/json").header("Content-Type", "text/plain").json(&1),
        server.put("/json").json(&1).form(&[("a", "b")]),
        server.put("/json").json(&1).body("1"),
        server.put("/json").json(&1).part("a", "b"),
    ] {
        wrong.await.assert_status(415);
    }
    let last = server.put("/json").form(&[("a", "b")]).part("a", "b").json(&[1, 2]);
    assert_eq!(last.await.assert_status(200).text(), "[1,2]");
    let (chat, _) = started().await;
    let old = chat.connect(ASIDE).header("Sec-WebSocket-Version", "8").refused().await;
    assert_eq!(old.header("sec-websocket-version"), Some("13"));
}

#[test]
fn a_server_without_a_runtime_says_what_to_do() {
    let text = told(async { drop(start(site()).await) }).now_or_never().unwrap();
    assert!(text.starts_with(file!()), "{text}");
    assert!(
        text.ends_with(": a server needs tokio's runtime: write `#[tokio::test]` at the test"),
        "{text}"
    );
}

pode_server! {
    server secure(certificate: Certificate, clients: ClientAuthorities);
    endpoint https "*:443" { certificate: certificate, client_certificate: clients };
    endpoint wss   "*:443";
    endpoint front https "*:444" { certificate: self_signed() };
    signal NAMES: String = "/names";
    on connect NAMES => async |event: ConnectEvent<String>| event.greet(&"hello".to_owned());
    route GET "/" => async |event: WebEvent| {
        text(event.client_certificate().map_or("nobody", |_| "somebody"))
    };
}

/// No variable has the password, and none is set.
#[tokio::test]
async fn tls_needs_nothing_of_a_test() {
    let folder = std::path::absolute(FOLDER).unwrap();
    let locked = || {
        let key = pem(folder.join("chain.pem"), folder.join("key-with-password.pem"));
        key.password(password_from_env("PODE_TEST_UNSET_PASSWORD"))
    };
    let server = start(secure(locked(), ClientAuthorities::default())).await;
    assert_eq!(server.get("/").await.text(), "nobody");
    assert_eq!(server.get("/").endpoint("front").await.text(), "nobody");
    assert_eq!(server.connect(NAMES).await.next().await, "hello");

    // The variable of this server alone.
    let own = std::env::temp_dir().join(format!("pode-test-kit-{}", std::process::id()));
    std::fs::create_dir_all(&own).unwrap();
    let [chain, key] = ["client.pem", "client.key"].map(|file| own.join(file));
    let issued = rcgen::generate_simple_self_signed(["ada".to_owned()]).unwrap();
    std::fs::write(&chain, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let clients = required(&chain);
    let server = start(secure(locked(), clients)).env("PODE_TEST_UNSET_PASSWORD", "secret").await;
    let known = server.get("/").client_certificate(&chain, &key).await;
    assert_eq!(known.text(), "somebody");
    let mut client = server.connect(NAMES).client_certificate(chain, key).await;
    assert_eq!(client.next().await, "hello");
    std::fs::remove_dir_all(own).unwrap();
}

pode_server! {
    server bells(notes: Notes);
    state RINGS: Notes = notes;
    endpoint ws 1;
    signal RUNG: (String, u64) = "/";
    timer "slow"  every 90s => ring;
    timer "quick" every 1min { on_start: true, limit: 4 } => ring;
    schedule "night" cron "30 2 * * *" => ring_by_clock;
    schedule "hourly" cron "0 * * * *" => ring_by_clock;
}

async fn ring(event: TimerEvent) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    event.state(RINGS).add(format!("{} begins", event.name()));
    tokio::task::yield_now().await;
    event.state(RINGS).add(format!("{} {}", event.name(), event.count()));
    Ok(event.send(RUNG, &(event.name().to_owned(), event.count())).await?)
}

async fn ring_by_clock(
    event: ScheduleEvent,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    event.state(RINGS).add(format!("{} {}", event.name(), event.count()));
    Ok(())
}

#[tokio::test]
async fn time_moves_as_the_test_says() {
    let notes = Notes::default();
    let server = start(bells(notes.clone())).clock("2026-03-29 01:57[Europe/Berlin]").await;
    let mut client = server.connect(RUNG).await;
    server.advance(Duration::ZERO).await;
    assert_eq!(notes.take(), ["quick begins", "quick 1"]);
    server.advance(Duration::from_secs(89)).await;
    assert_eq!(notes.take(), ["quick begins", "quick 2"]);
    // At the same time, they fire one after the other; the night has no 02:30.
    server.advance(Duration::from_secs(91)).await;
    let expected = [
        "slow begins",
        "slow 1",
        "quick begins",
        "quick 3",
        "slow begins",
        "slow 2",
        "quick begins",
        "quick 4",
        "night 1",
        "hourly 1",
    ];
    assert_eq!(notes.take(), expected);
    for _ in 0..5 {
        client.next().await;
    }
    server.advance(Duration::from_secs(3600)).await;
    let rung = notes.take();
    assert_eq!(rung.iter().filter(|note| *note == "hourly 2").count(), 1);
    assert_eq!(rung.len(), 2 * 40 + 1);

    // A clock that is set forward fires once for all it leaps over.
    server.set_clock("2026-03-30 05:15[Europe/Berlin]").await;
    assert_eq!(notes.take(), ["night 2", "hourly 3"]);
    server.set_clock("2026-03-30 05:14[Europe/Berlin]").await;
    server.invoke_schedule("night").await;
    assert_eq!(notes.take(), ["night 2"]);
    server.advance(Duration::from_secs(24 * 3600)).await;
    let nights = notes.take().into_iter().filter(|note| note.starts_with("night"));
    assert_eq!(nights.collect::<Vec<_>>(), ["night 3"]);
    let text = told(async { server.set_clock("noon").await }).await;
    assert!(text.contains(": \"noon\" is no time: "), "{text}");
}

pode_server! {
    server stuck;
    timer "stuck" every 1s => async |_| std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_handler_without_end_is_told() {
    let server = start(stuck()).deadline(Duration::from_millis(20)).await;
    let text = told(server.advance(Duration::from_secs(1))).await;
    assert!(text.ends_with(": waited 20ms for the handler of a timer or a schedule"), "{text}");
}

pode_server! {
    server relay(url: String);
    endpoint http 1;
    endpoint ws 1;
    signal SHOWN: u32 = "/shown";
    upstream PRICES: u32 -> String = url { on_connect: subscribe, reconnect_delay: 1h } => show;
    route POST "/ask" => async |event: WebEvent| {
        let sent = event.upstream(PRICES).send(&"more".to_owned()).await;
        sent.map_err(|error| EventError::new(502, error.to_string()))
    };
}

async fn subscribe(event: UpstreamEvent<String>) -> Result<(), UpstreamError> {
    event.reply(&"all".to_owned()).await
}

async fn show(event: UpstreamEvent<String>, price: u32) -> Result<(), SendError> {
    sleep(Duration::from_millis(5)).await;
    event.send(SHOWN, &price).await
}

#[tokio::test]
async fn a_test_plays_an_upstream() {
    let server = start(relay("wss://feed.example/prices?key=5".to_owned())).await;
    assert_eq!(server.post("/ask").await.status(), 502);
    let mut shown = server.connect(SHOWN).await;
    for round in 0..20 {
        let mut feed = server.upstream(PRICES).await;
        assert_eq!(feed.path(), "/prices?key=5");
        assert_eq!(feed.next().await, "all");
        feed.send(&round).await;
        assert!(told(shown.assert_silent()).await.ends_with(&format!("got {round}")));
        server.post("/ask").await.assert_status(204);
        feed.assert_next(&"more".to_owned()).await;
        feed.assert_silent().await;
        match round % 2 {
            0 => feed.close(1012, "restart").await,
            _ => drop(feed),
        }
    }
    let mut feed = server.upstream(PRICES).await;
    let (closed, ()) = tokio::join!(feed.closed(), server.stop());
    assert_eq!(closed.code, 1001);
    // A URL that a variable should have had.
    let server = start(relay(String::new())).await;
    assert_eq!(server.upstream(PRICES).await.path(), "/");
}

pode_server! {
    server picky;
    upstream PICKY: u32 = "ws://feed.example" { on_connect: refuse } => async |_, _: u32| ();
}

async fn refuse(_: UpstreamEvent<pode::Nothing>) -> Result<(), &'static str> {
    Err("as the test wants it")
}

#[tokio::test]
async fn a_connection_that_does_not_begin_is_seen() {
    let server = start(picky()).await;
    for _ in 0..3 {
        assert_eq!(server.upstream(PICKY).await.closed().await.code, 1000);
    }
}

#[tokio::test]
async fn stopping_takes_no_time_and_dropping_less() {
    let (server, notes) = started().await;
    let mut ada = server.connect(room("kitchen")).cookie("name", "Ada").await;
    // It isn't asked for what it got.
    server.stop().await;
    assert_eq!(ada.closed().await.code, 1001);
    assert_eq!(notes.take(), ["one has left kitchen: Stopped"]);

    let (server, _) = started().await;
    let mut ada = server.connect(room("kitchen")).cookie("name", "Ada").await;
    let url = server.url(None);
    drop(server);
    ada.closed().await;
    let address = url.strip_prefix("http://").unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[cfg(target_os = "linux")]
const LEAKS: &str = "PODE_TEST_LEAKS";

/// In a process of its own, whose descriptors and tasks are its own.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_hundred_servers_leave_nothing_behind() {
    if std::env::var_os(LEAKS).is_none() {
        let path = "test_kit::two_hundred_servers_leave_nothing_behind";
        let run = this_test(path).env(LEAKS, "1").kill_on_drop(true).status();
        let status = tokio::time::timeout(PATIENCE, run).await.expect("it ends").unwrap();
        assert!(status.success());
        return;
    }
    static SERVED: AtomicUsize = AtomicUsize::new(0);
    let serve = async |number: usize| {
        let server = start(relay("ws://feed.example".to_owned())).await;
        let mut shown = server.connect(SHOWN).await;
        let feed = server.upstream(PRICES).await;
        feed.send(&7).await;
        assert_eq!(shown.next().await, 7);
        SERVED.fetch_add(1, Ordering::Relaxed);
        match number % 3 {
            0 => server.stop().await,
            1 => drop((server, shown, feed)),
            _ => drop((shown, feed, server)),
        }
    };
    // What stays for the whole process.
    serve(0).await;
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let now = || (open(), threads(), tasks());
    let before = now();
    for _ in 0..4 {
        join_all((0..50).map(serve)).await;
    }
    let none_left = async {
        // Threads of a pool may stay for a while; those of servers don't.
        while open() > before.0 || tasks() > before.2 || threads() > before.1 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, none_left).await;
    assert!(ended.is_ok(), "before: {before:?}, after: {:?}", now());
    assert_eq!(SERVED.load(Ordering::Relaxed), 201);
}

pode_server! {
    server kept;
    endpoint ws 1;
    signal KEPT: String -> String = "/kept" { history_messages: 2 } => keep;
    signal LISTENED: u32 = "/listened" { history_messages: 2 };
    signal RAW: pode::RawMessage = "/raw";
    on connect KEPT => welcome;
}

async fn keep(event: SignalEvent<String>, text: String) -> Result<(), EventError> {
    if text.is_empty() {
        return Err(EventError::new(400, "say something"));
    }
    event.reply(&text).await.map_err(|error| EventError::new(500, error.to_string()))
}

async fn welcome(event: ConnectEvent<String>) -> Result<(), EventError> {
    match event.query() {
        "stranger=" => Err(EventError::new(401, "who are you?")),
        _ => event.greet(&"welcome".to_owned()),
    }
}

#[tokio::test]
async fn a_client_of_the_protocol_knows_where_it_is() {
    let server = start(kept()).await;
    let send = async |text: &str| server.signals().send(KEPT, &text.to_owned()).await.unwrap();
    let mut ada = server.connect(KEPT).protocol_v1().await;
    assert_eq!((ada.hello().at, ada.hello().resumed), (Some(0), None));
    let greeting = ada.next_received::<String>().await;
    assert_eq!((&*greeting.data, greeting.position), ("welcome", None));
    assert!(ada.until_live().await.is_empty());
    ada.send_once(&"hi".to_owned()).await;
    let received = ada.next_received::<String>().await;
    assert_eq!((&*received.data, received.position), ("hi", ada.position()));
    ada.send_once(&String::new()).await;
    assert_eq!(ada.next_error().await.data, "say something");
    ada.assert_silent().await;

    // What wasn't read before the cut comes afterwards.
    send("one").await;
    server.settle().await;
    ada.cut();
    send("two").await;
    ada.come_back().await;
    assert_eq!(ada.hello().resumed, Some(true));
    assert_eq!(ada.until_live().await, ["welcome", "one", "two"]);
    let page = ada.position().unwrap().to_string();

    // A page knows its position, too.
    send("three").await;
    let bob = server.connect(KEPT).query(&[("resume", &page)]).query(&[("a", "1")]);
    let mut bob = bob.protocol_v1().await;
    assert_eq!(bob.until_live().await, ["welcome", "three"]);
    bob.come_back().await;
    assert_eq!(bob.until_live().await, ["welcome"]);
    assert_eq!(bob.hello().resumed, Some(true));

    // More than is kept: one MiB is, whatever the signal promises.
    let mut far = server.connect(KEPT).protocol_v1().await;
    assert_eq!(far.until_live().await, ["welcome"]);
    far.cut();
    for _ in 0..3 {
        send(&"x".repeat(1 << 20)).await;
    }
    far.come_back().await;
    let gap = far.next_gap().await;
    assert_eq!((&*gap.why, far.hello().resumed), ("age", Some(false)));
    assert_eq!(far.next().await, "welcome");
    assert!(far.next().await.starts_with('x'));

    server.signals().clients(KEPT).close_all(4503, "later").await.unwrap();
    let closed = ada.closed().await;
    assert!(closed.comes_back());
    ada.come_back().await;
    let (closed, ()) = tokio::join!(ada.closed(), server.stop());
    assert_eq!((closed.code, closed.comes_back()), (1001, true));
}

#[tokio::test]
async fn what_a_client_of_the_protocol_sends_is_handled_once() {
    let server = start(kept()).await;
    let mut ada = server.connect(KEPT).protocol_v1().await;
    let id = ada.hello().id.clone();
    assert_eq!(ada.until_live().await, ["welcome"]);
    let first = ada.send(&"one".to_owned()).await;
    ada.acknowledged(first).await;
    let reply = ada.next_received::<String>().await;
    assert_eq!((&*reply.data, reply.re), ("one", Some(first)));
    let wrong = ada.send_json(&1).await;
    assert_eq!(ada.next_error().await.re, Some(wrong));

    // It may be handled before the cut, or after it.
    let second = ada.send(&"two".to_owned()).await;
    ada.cut();
    let third = ada.send(&"three".to_owned()).await;
    ada.come_back().await;
    ada.acknowledged(third).await;
    assert_eq!((&ada.hello().id, ada.hello().resumed), (&id, Some(true)));
    for (text, number) in [("welcome", None), ("two", Some(second)), ("three", Some(third))] {
        let got = ada.next_received::<String>().await;
        assert_eq!((&*got.data, got.re), (text, number));
    }
    ada.assert_silent().await;

    // A message keeps its number, whether the server knows it or not.
    let fourth = ada.send(&"four".to_owned()).await;
    ada.come_back_unknown().await;
    ada.acknowledged(fourth).await;
    for (text, number) in [("welcome", None), ("four", Some(fourth))] {
        let got = ada.next_received::<String>().await;
        assert_eq!((&*got.data, got.re), (text, number));
    }
}

/// There is more to say than the server takes at once.
#[tokio::test]
async fn a_client_of_the_protocol_keeps_the_rate() {
    let (server, _) = started().await;
    let mut ada = server.connect(room("the kitchen")).cookie("name", "ada").protocol_v1().await;
    assert_eq!(ada.hello().rate.map(u32::from), Some(5));
    let mut last = 0;
    for _ in 0..12 {
        last = ada.send(&say("hi")).await;
    }
    ada.acknowledged(last).await;
}

#[tokio::test]
async fn what_a_client_of_the_protocol_is_not_expected_to_get_is_told() {
    let server = start(kept()).await;
    let mut ada = server.connect(KEPT).protocol_v1().await;
    let text = told(ada.assert_next(&"hi".to_owned())).await;
    assert!(
        text.starts_with(file!()) && text.ends_with(r#"expected "hi", got "welcome""#),
        "{text}"
    );
    ada.send_once(&String::new()).await;
    let text = told(async { drop(ada.next().await) }).await;
    assert!(text.ends_with("expected a message, got the error \"say something\""), "{text}");
    server.signals().send(KEPT, &"hi".to_owned()).await.unwrap();
    let text = told(ada.assert_silent()).await;
    assert!(text.ends_with(r#"expected nothing, got "hi""#), "{text}");
    let text = told(ada.send_once(&"x".repeat(1 << 20))).await;
    assert!(text.ends_with(": the message is longer than 65536 bytes"), "{text}");
    ada.cut();
    let text = told(async { drop(ada.next().await) }).await;
    assert!(text.ends_with(": expected a message, but the client is cut"), "{text}");

    let stranger = server.connect(KEPT).header("Host", "evil.example").protocol_v1();
    let text = told(async { drop(stranger.await) }).await;
    assert!(text.contains("the client is refused on `/kept`: 421"), "{text}");
    let stranger = server.connect(KEPT).query(&[("stranger", "")]).protocol_v1();
    let text = told(async { drop(stranger.await) }).await;
    assert!(text.ends_with("expected a message on `/kept?stranger=`, but the connection was closed with 4401, \"who are you?\""), "{text}");
    let text = told(async { drop(server.connect(RAW).protocol_v1().await) }).await;
    assert!(text.ends_with(": the signal speaks None, and not `pode.v1`"), "{text}");

    let mut listener = server.connect(LISTENED).protocol_v1().await;
    assert!(listener.until_live().await.is_empty());
    let text = told(listener.send_json(&1).map(|_| ())).await;
    assert!(text.ends_with(": clients of this signal only listen"), "{text}");
}
