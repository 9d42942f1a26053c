//! Tasks that live as long as their server: what happens to them, and to
//! everything else, when they panic.
//!
//! They panic in the program's own log subscriber, which all of them call.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pode::prelude::*;
use pode::{DisconnectReason, Protocol};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::{Client, Process, get_at, request_at, this_test, within};

#[derive(Default)]
struct Ticks(AtomicUsize);

#[derive(Default)]
struct Ends(Mutex<Vec<DisconnectReason>>);

type Failed = Result<(), Box<dyn std::error::Error + Send + Sync>>;

pode_server! {
    server supervised(socket: Option<PathBuf>, feed: String) {
        hand_over: socket,
        limits: Limits { max_connections: 12 },
    };
    endpoint front http "127.0.0.1:0";
    endpoint ws    "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: self_signed() };
    operations { endpoint: front };
    state TICKS: Ticks = Ticks::default();
    state ENDS: Ends = Ends::default();
    state NOTIFY: Notify = Notify::new();
    route GET  "/release" => async |event| event.state(NOTIFY).notify_one();
    route GET  "/" => async |_| text("here");
    route POST "/arm" (body: String) => async |_, text: String| arm(&text);
    route GET  "/ticks" => async |event| {
        text(event.state(TICKS).0.load(Ordering::Relaxed).to_string())
    };
    route GET  "/ends" => async |event| {
        text(format!("{:?}", event.state(ENDS).0.lock().unwrap()))
    };
    route GET  "/listeners" => async |event: WebEvent| -> Result<_, SendError> {
        Ok(text(event.clients(FIRST).list().await?.len().to_string()))
    };
    // Each has a shard of its own.
    signal FIRST: String -> String = "/first" { max_message_bytes: 20, max_clients: 3 } => async |event, said: String| {
        event.send(FIRST, &said).await
    };
    signal SECOND: String -> String = "/second" => second;
    on disconnect FIRST => async |event| {
        event.state(ENDS).0.lock().unwrap().push(event.reason());
    };
    timer "fails" every 10ms => async |event| -> Failed {
        event.state(TICKS).0.fetch_add(1, Ordering::Relaxed);
        Err("as always".into())
    };
    schedule "begins" cron "0 0 1 1 *" { on_start: true } => async |_| -> Failed { Err("no".into()) };
    upstream FEED: String = feed { reconnect_delay: 10ms } => async |event, said: String| {
        event.send(SECOND, &said).await
    };
}

async fn second(event: SignalEvent<String>, said: String) -> Failed {
    match said.as_str() {
        "wait" => event.state(NOTIFY).notified().await,
        "fail" => return Err("as asked for".into()),
        _ => event.reply(&said).await?,
    }
    Ok(())
}

/// The log panics at the next line that contains this text.
static ARMED: Mutex<Option<String>> = Mutex::new(None);

fn arm(text: &str) {
    *ARMED.lock().unwrap() = Some(text.to_owned());
}

fn may_panic(text: &str) {
    let armed = ARMED.lock().unwrap().take_if(|armed| text.contains(armed.as_str()));
    if let Some(armed) = armed {
        panic!("the log can't write {armed:?}");
    }
}

struct Panicking;

impl<S: Subscriber> Layer<S> for Panicking {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        may_panic(&text.0);
    }

    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        may_panic(&format!("span {}", span.metadata().name()));
    }
}

/// The message of an event.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Environment variables of the program: the text that is armed from the start,
/// the path of the hand-over socket, and the URL of the other server.
const ARM: &str = "PODE_TEST_ARMED";
const SOCKET: &str = "PODE_TEST_SUPERVISED_SOCKET";
const FEED_URL: &str = "PODE_TEST_FEED";

/// Whether it starts the server rather than running it.
const STARTS: &str = "PODE_TEST_STARTS";

/// The program of these tests, which run this one alone, in a process of its
/// own.
#[test]
fn program() {
    let Ok(armed) = std::env::var(ARM) else { return };
    if !armed.is_empty() {
        arm(&armed);
    }
    // A filter of this layer would forget a line of the thread after a panic in the other
    // one.
    let writer = pode::log_writer.with_max_level(tracing::Level::INFO);
    let log = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    tracing_subscriber::registry().with(Panicking).with(log).init();
    let socket = std::env::var_os(SOCKET).map(PathBuf::from);
    // Nothing listens there, unless a test does.
    let feed = std::env::var(FEED_URL).unwrap_or_else(|_| "ws://127.0.0.1:1/".to_owned());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    if std::env::var_os(STARTS).is_some() {
        // Nothing checks whether it continues.
        return runtime.block_on(async {
            let _running = supervised(socket, feed).start().await.unwrap();
            std::future::pending::<()>().await;
        });
    }
    if let Err(error) = runtime.block_on(supervised(socket, feed).run()) {
        eprintln!("Error: {error:?}");
        std::process::exit(1);
    }
}

struct Program {
    process: Process,
    http: SocketAddr,
    ws: SocketAddr,
}

async fn start_program(environment: &[(&str, &str)]) -> Program {
    let mut command = this_test("supervision::program");
    command.env(ARM, "").env_remove("RUST_BACKTRACE").stdout(Stdio::null());
    let process = Process::start(command.envs(environment.iter().copied()));
    let http = process.address(Protocol::Http).await;
    let ws = process.address(Protocol::Ws).await;
    Program { process, http, ws }
}

impl Program {
    async fn arm(&self, text: &str) {
        let answer = request_at(self.http, "POST", "/arm", &[], text.as_bytes()).await;
        assert_eq!(answer.status, 204);
    }

    async fn get(&self, path: &str) -> String {
        let answer = get_at(self.http, path).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.text().to_owned()
    }

    async fn connect(&self, path: &str) -> Client {
        Client::connect_at(self.ws, path).await.unwrap()
    }

    /// Waits for an answer.
    async fn gets(&self, path: &str, expected: &str) {
        within(async { while self.get(path).await != expected {} }, expected).await;
    }

    /// Waits until a panic is logged, and checks that it is logged once.
    async fn tells_once(&self, panic: &str) {
        let line = self.process.says(panic).await;
        assert!(line.contains(" panicked: the log can't write "), "{line}");
        // Any consequence is logged before this response.
        self.get("/").await;
        assert_eq!(self.process.said().iter().filter(|line| line.contains(panic)).count(), 1);
    }
}

#[tokio::test]
async fn clients_of_a_shard_that_panics_are_told_and_others_miss_nothing() {
    let program = start_program(&[]).await;
    let (mut offender, mut neighbour) =
        (program.connect("/first").await, program.connect("/first").await);
    let mut other = program.connect("/second").await;
    neighbour.say("\"hello\"").await;
    assert_eq!(
        (offender.text().await, neighbour.text().await),
        ("\"hello\"".into(), "\"hello\"".into())
    );

    program.arm("max_message_bytes").await;
    offender.send(Message::text("\"this is longer than it may be\"")).await;
    assert_eq!(neighbour.close_code().await, 1011);
    // Whichever comes first, the client's fault or the server's, is reported.
    assert!([1009, 1011].contains(&offender.close_code().await));
    other.say("\"undisturbed\"").await;
    assert_eq!(other.text().await, "\"undisturbed\"");
    program.tells_once("the delivery of messages panicked").await;
    let closed = "ByServer { code: 1011 }";
    program.gets("/ends", &format!("[{closed}, {closed}]")).await;

    // As many as before may connect, and receive messages.
    assert_eq!(program.get("/listeners").await, "0");
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(program.connect("/first").await);
    }
    assert_eq!(Client::connect_at(program.ws, "/first").await.err(), Some(503));
    clients[0].say("\"again\"").await;
    for client in &mut clients {
        assert_eq!(client.text().await, "\"again\"");
    }
    assert_eq!(program.get("/listeners").await, "3");
    program.process.signal("-TERM");
    for mut client in clients {
        assert_eq!(client.close_code().await, 1001);
    }
    assert_eq!(other.close_code().await, 1001);
    let (said, status) = program.process.end().await;
    assert!(status.success(), "{status}: {said}");
}

#[tokio::test]
async fn a_log_that_panics_costs_no_message() {
    let program = start_program(&[]).await;
    let mut client = program.connect("/second").await;
    for said in ["\"wait\"", "\"fail\"", "\"echo\""] {
        client.say(said).await;
    }
    // When this is answered, all of them wait for their handler.
    client.send(Message::Ping("read".into())).await;
    assert_eq!(client.message().await, Message::Pong("read".into()));
    program.arm("a message").await;
    assert_eq!(get_at(program.http, "/release").await.status, 204);
    assert_eq!(client.text().await, "\"echo\"");
}

#[tokio::test]
async fn connections_are_accepted_after_a_panic_and_counted_as_before() {
    let mut program = start_program(&[]).await;
    let mut client = program.connect("/second").await;
    for _ in 0..3 {
        program.arm("span connection").await;
        let mut unlucky = TcpStream::connect(program.http).await.unwrap();
        let end = within(unlucky.read(&mut [0]), "the end").await;
        assert_eq!(end.unwrap_or(0), 0);
        assert_eq!(program.get("/").await, "here");
        program.process.says_next("the accepting of connections panicked").await;
    }
    client.say("\"still\"").await;
    assert_eq!(client.text().await, "\"still\"");
    // In addition to the connected one.
    let mut clients = Vec::new();
    for _ in 0..11 {
        clients.push(program.connect("/second").await);
    }
}

#[tokio::test]
async fn timers_and_schedules_go_on_after_a_panic() {
    let program = start_program(&[(ARM, "schedule `begins`")]).await;
    program.tells_once("schedule `begins` panicked").await;
    program.arm("timer `fails`").await;
    program.tells_once("timer `fails` panicked").await;
    let ticks = program.get("/ticks").await;
    within(async { while program.get("/ticks").await == ticks {} }, "another tick").await;
}

#[tokio::test]
async fn an_upstream_is_connected_anew_after_a_panic() {
    let feed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", feed.local_addr().unwrap());
    let program = start_program(&[(FEED_URL, &url), (ARM, "is connected to")]).await;
    let mut listener = program.connect("/second").await;
    let first = within(feed.accept(), "a connection").await.unwrap().0;
    Client::accept(first).await.hear_end().await;
    let second = within(feed.accept(), "another connection").await.unwrap().0;
    let mut second = Client::accept(second).await;
    second.say("\"news\"").await;
    assert_eq!(listener.text().await, "\"news\"");
    program.tells_once("upstream `FEED` panicked").await;
}

#[cfg(unix)]
#[tokio::test]
async fn certificates_are_renewed_after_a_panic() {
    let mut program = start_program(&[]).await;
    program.arm("as SIGHUP asks").await;
    program.process.signal("-HUP");
    program.tells_once("the renewal of certificates panicked").await;
    program.process.signal("-HUP");
    program.process.says_next("looking for new certificates, as SIGHUP asks").await;
}

#[cfg(unix)]
mod hand_over {
    use std::path::Path;

    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;

    /// The path of a server's hand-over socket; removed at the end.
    struct Socket(PathBuf);

    impl Socket {
        fn new(name: &str) -> Socket {
            let file = format!("pode-supervised-{name}-{}.sock", std::process::id());
            Socket(std::env::temp_dir().join(file))
        }

        fn name(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// Connects to the hand-over socket, but doesn't speak its protocol.
    async fn ask_strangely(socket: &Path) {
        let mut stranger = within(UnixStream::connect(socket), "a connection").await.unwrap();
        stranger.write_all(b"give me everything\n").await.unwrap();
        let _ = within(stranger.read_to_end(&mut Vec::new()), "the end").await;
    }

    #[tokio::test]
    async fn a_server_can_still_be_taken_over_after_a_panic() {
        let socket = Socket::new("wait");
        let program = start_program(&[(SOCKET, socket.name())]).await;
        program.arm("a process could not take over").await;
        ask_strangely(&socket.0).await;
        program.tells_once("the wait for a newer process panicked").await;
        ask_strangely(&socket.0).await;
        program.process.says("a process could not take over").await;

        // The log line about the end of the work comes after the work.
        let last = (ARM, "the older process has handed over its last client");
        let newer = start_program(&[(SOCKET, socket.name()), last]).await;
        newer.process.says("takes over from process").await;
        assert!(program.process.end().await.1.success());
        newer.process.says("the log can't write").await;
        newer.gets("/", "here").await;
        ask_strangely(&socket.0).await;
        newer.process.says("a process could not take over").await;
    }

    /// Neither process knows then what the other has, so only one of them
    /// continues.
    #[tokio::test]
    async fn a_process_that_panics_while_it_hands_over_ends() {
        let socket = Socket::new("end");
        let program = start_program(&[(SOCKET, socket.name())]).await;
        let mut client = program.connect("/second").await;
        program.arm("hands over to process").await;
        let newer = start_program(&[(SOCKET, socket.name())]).await;
        let (said, status) = program.process.end().await;
        assert_eq!(status.code(), Some(1), "{said}");
        let sentence =
            "the server can't go on without handing over: it panicked: the log can't write";
        assert!(said.contains(&format!("Error: {sentence}")), "{said}");
        assert_eq!(client.close_code().await, 1001);
        newer.gets("/", "here").await;
        let mut client = newer.connect("/second").await;
        client.say("\"served\"").await;
        assert_eq!(client.text().await, "\"served\"");
        assert!(socket.0.exists(), "the newer process can be found");
    }

    #[tokio::test]
    async fn a_server_that_cannot_go_on_stops_though_nobody_asks() {
        let socket = Socket::new("start");
        let program = start_program(&[(SOCKET, socket.name()), (STARTS, "yes")]).await;
        let mut client = program.connect("/second").await;
        program.arm("hands over to process").await;
        let newer = start_program(&[(SOCKET, socket.name())]).await;
        assert_eq!(client.close_code().await, 1001);
        program.process.says("the server can't go on without handing over: ").await;
        // Both listened at the same sockets: new clients reach the newer one.
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(newer.connect("/second").await);
        }
        for _ in 0..20 {
            assert_eq!(newer.get("/_pode/ready").await, "ready");
        }
        newer.gets("/", "here").await;
    }
}
