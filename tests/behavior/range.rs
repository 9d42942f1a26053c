//! Ranges: servers whose options all have the largest, or the smallest, values
//! of their types. They run in processes of their own, whose log would show a
//! panic.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use pode::prelude::*;
use pode::{Protocol, RawMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::support::{
    Client, Process, file, get_at, http_2, raw, raw_over, request_at, start, this_test, within,
};
use crate::tls::{get_by_http_2, idle_ends, secure_stream};

/// The folder of the programs' sockets, and the address of the other server.
const FOLDER: &str = "PODE_TEST_RANGE";
const FEED: &str = "PODE_TEST_FEED";

const ENDLESS: Duration = Duration::MAX;
const ANY_NUMBER: usize = usize::MAX;
/// A number that is not the one for "without limit".
const VERY_MANY: usize = usize::MAX - 1;

/// More than the system and its buffers take for a client that doesn't read.
const LARGE: usize = 64 << 20;

/// Has a permit for each time that a timer or schedule has fired.
struct Fired(Semaphore);

impl Fired {
    fn new() -> Fired {
        Fired(Semaphore::new(0))
    }

    /// Waits until so many have fired.
    async fn times(&self, times: u32) {
        self.0.acquire_many(times).await.expect("it is never closed").forget();
    }
}

/// Returns the last moment that the system knows.
fn latest() -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX as u64))
}

pode_server! {
    server longest(folder: PathBuf, feed: String) {
        send_timeout: ENDLESS,
        stop_timeout: ENDLESS,
        drain: ENDLESS,
        hand_over: folder.join("longest.sock"),
        limits: Limits {
            max_connections: ANY_NUMBER,
            max_connections_per_address: VERY_MANY,
            tls_timeout: ENDLESS,
            head_timeout: ENDLESS,
            max_head_bytes: ANY_NUMBER,
            keep_alive_timeout: ENDLESS,
            max_body_bytes: ANY_NUMBER,
            max_upload_bytes: ANY_NUMBER,
            body_timeout: ENDLESS,
            write_timeout: ENDLESS,
            min_bytes_per_second: ANY_NUMBER,
        },
    };
    endpoint http  "127.0.0.1:0";
    endpoint ws    "127.0.0.1:0";
    endpoint https "127.0.0.1:0" {
        certificate: pem(file("chain.pem"), file("key.pem")),
        limits: Limits { max_connections: VERY_MANY, tls_timeout: ENDLESS },
    };
    endpoint wss   "127.0.0.1:0";
    public "/files" "behavior/files" { cache_age: ENDLESS };
    state FIRED: Fired = Fired::new();
    route GET  "/" => async |_| text("here");
    route GET  "/large" => async |_| bytes("application/octet-stream", vec![0; LARGE]);
    route GET  "/fired" => async |event| event.state(FIRED).times(2).await;
    route POST "/text" (body: String) => async |_, body| text(body);
    route POST "/parts" (multipart: Multipart) {
        limits: Limits { max_upload_bytes: ANY_NUMBER, body_timeout: ENDLESS },
    } => async |_, mut form: Multipart| -> Result<_, EventError> {
        let mut length = 0;
        while let Some(part) = form.next().await? {
            length += part.bytes().await?.len();
        }
        Ok(text(length.to_string()))
    };
    signal TALK: String -> String = "/talk" {
        capacity_messages: ANY_NUMBER,
        heartbeat: ENDLESS,
        max_message_bytes: ANY_NUMBER,
        max_frame_bytes: ANY_NUMBER,
        idle_timeout: ENDLESS,
        messages_per_second: u32::MAX,
        max_clients: VERY_MANY,
        max_clients_per_address: VERY_MANY,
    } => talk;
    timer "start" every ENDLESS {
        on_start: true, limit: u64::MAX, skip: u32::MAX,
    } => async |event| event.state(FIRED).0.add_permits(1);
    schedule "start" cron "@minutely" {
        on_start: true, limit: u64::MAX, starts_at: latest(), ends_at: latest(),
    } => async |event| event.state(FIRED).0.add_permits(1);
    upstream PRICES: String -> String = feed {
        connect_timeout: ENDLESS,
        reconnect_delay: ENDLESS,
        max_reconnect_delay: ENDLESS,
        heartbeat: ENDLESS,
        max_message_bytes: ANY_NUMBER,
    } => async |event, price: String| event.send(TALK, &price).await;
}

const NONE: Duration = Duration::ZERO;
const NEXT_TO_NONE: Duration = Duration::from_nanos(1);
/// A literal 0 would be a compile error.
const NO_ROOM: usize = 0;

pode_server! {
    server shortest(folder: PathBuf, feed: String) {
        send_timeout: NONE,
        stop_timeout: NONE,
        drain: NONE,
        hand_over: folder.join("shortest.sock"),
        limits: Limits {
            keep_alive_timeout: NONE,
            max_body_bytes: NO_ROOM,
            max_upload_bytes: NO_ROOM,
            body_timeout: NONE,
            write_timeout: NONE,
            min_bytes_per_second: 0,
        },
    };
    endpoint http  "127.0.0.1:0";
    endpoint ws    "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: pem(file("chain.pem"), file("key.pem")) };
    endpoint wss   "127.0.0.1:0";
    public "/files" "behavior/files" { cache_age: NEXT_TO_NONE };
    state STARTED: Fired = Fired::new();
    route GET  "/" => async |_| text("here");
    route GET  "/large" => async |_| bytes("application/octet-stream", vec![0; LARGE]);
    route GET  "/fired" => async |event| event.state(STARTED).times(5).await;
    route POST "/text" (body: String) => async |_, body| text(body);
    route POST "/slow" (body: String) {
        limits: Limits { max_body_bytes: 100, body_timeout: NEXT_TO_NONE },
    } => async |_, body| text(body);
    route POST "/parts" (multipart: Multipart) => async |_, _| ();
    signal SAY: String -> String = "/say" {
        heartbeat: NEXT_TO_NONE, idle_timeout: NEXT_TO_NONE, messages_per_second: 0,
    } => async |event, said: String| event.reply(&said).await;
    signal EMPTY: RawMessage -> RawMessage = "/empty" {
        capacity_messages: NO_ROOM, heartbeat: NONE, idle_timeout: NONE, max_message_bytes: NO_ROOM,
    } => async |event, message: RawMessage| event.reply(&message).await;
    signal IN_PARTS: RawMessage -> RawMessage = "/in-parts" { max_frame_bytes: NO_ROOM } => async |_, _| ();
    signal NOBODY: String = "/nobody" { max_clients: NO_ROOM };
    signal FROM_NOWHERE: String = "/from-nowhere" { max_clients_per_address: NO_ROOM };
    timer "fast" every NEXT_TO_NONE {
        limit: 4,
    } => async |event| event.state(STARTED).0.add_permits(1);
    schedule "over" cron "@minutely" {
        on_start: true, starts_at: Some(SystemTime::UNIX_EPOCH), ends_at: Some(SystemTime::UNIX_EPOCH),
    } => async |event| event.state(STARTED).0.add_permits(1);
    upstream QUOTES: String = feed {
        reconnect_delay: NONE, max_reconnect_delay: NONE, heartbeat: NONE, max_message_bytes: NO_ROOM,
    } => async |_, _| ();
}

pode_server! {
    server hasty;
    endpoint waits_for_no_head http "127.0.0.1:0" { limits: Limits { head_timeout: NONE } };
    endpoint takes_no_head http "127.0.0.1:0" { limits: Limits { max_head_bytes: NO_ROOM } };
    endpoint takes_one http "127.0.0.1:0" {
        limits: Limits { max_connections: NO_ROOM, max_connections_per_address: NO_ROOM },
    };
    endpoint waits_for_no_request https "127.0.0.1:0" {
        certificate: pem(file("chain.pem"), file("key.pem")),
        limits: Limits { keep_alive_timeout: NONE },
    };
    endpoint waits_for_no_tls https "127.0.0.1:0" {
        certificate: pem(file("chain.pem"), file("key.pem")),
        limits: Limits { tls_timeout: NONE },
    };
    route GET "/" => async |_| text("here");
    route GET "/large" => async |_| bytes("application/octet-stream", vec![0; LARGE]);
}

async fn talk(
    event: SignalEvent<String>,
    said: String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match said.as_str() {
        "buy" => event.upstream(PRICES).send(&said).await?,
        _ => event.send(TALK, &said).await?,
    }
    Ok(())
}

/// The programs of these tests: they run one of these alone, in a process of
/// its own. Otherwise it does nothing.
#[test]
fn longest_program() {
    run(longest);
}

#[test]
fn shortest_program() {
    run(shortest);
}

fn run(declare: impl FnOnce(PathBuf, String) -> Server) {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let feed = std::env::var(FEED).unwrap();
    pode::log_to_terminal();
    if let Err(error) = declare(folder.into(), feed).run_blocking() {
        eprintln!("Error: {error:?}");
        std::process::exit(1);
    }
}

/// The other server, which the programs connect to, and their folder.
struct Surroundings {
    folder: PathBuf,
    feed: TcpListener,
}

impl Surroundings {
    async fn new(name: &str) -> Surroundings {
        let folder = std::env::temp_dir().join(format!("pode-range-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Surroundings { folder, feed: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    /// Starts one of the programs, and waits until it serves and is connected.
    async fn start(&self, test: &str) -> (Process, Client<TcpStream>) {
        let feed = format!("ws://{}/", self.feed.local_addr().unwrap());
        let mut command = this_test(test);
        command.env(FOLDER, &self.folder).env(FEED, feed).stdout(Stdio::null());
        let process = Process::start(&mut command);
        process.address(Protocol::Wss).await;
        let (stream, _) = within(self.feed.accept(), "an upstream").await.unwrap();
        (process, Client::accept(stream).await)
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits for the end of a program that was asked to end or has handed over, and
/// checks that it logged no fault.
async fn ends_well(process: Process) {
    let (said, status) = process.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked") && !said.contains("ERROR"), "{said}");
}

/// Waits until the program sends a close frame to the other server, which then
/// closes the connection.
async fn sees_it_leave(mut feed: Client<TcpStream>) {
    assert_eq!(feed.close_code().await, 1001);
}

async fn connect(address: SocketAddr) -> TcpStream {
    within(TcpStream::connect(address), "a connection").await.unwrap()
}

/// Reads up to the end of a text.
async fn hear(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = String::new();
    while !heard.ends_with(end) {
        heard.push(within(stream.read_u8(), end).await.unwrap().into());
    }
    heard
}

/// Sends a body that the server has to wait for: it comes in two parts, of
/// which the first is sent after the 100-continue.
async fn post_slowly(address: SocketAddr, path: &str, headers: &str, body: &str) -> String {
    let mut stream = connect(address).await;
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    hear(&mut stream, "100 Continue\r\n\r\n").await;
    let (begin, end) = body.split_at(length / 2);
    stream.write_all(begin.as_bytes()).await.unwrap();
    // Others are served meanwhile.
    assert_eq!(get_at(address, "/").await.text(), "here");
    let answer = raw_over(stream, end.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().to_owned()
}

const PARTS: &str = "Content-Type: multipart/form-data; boundary=XX\r\n";
const FORM: &str = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n--XX--\r\n";

#[tokio::test]
async fn the_longest_times_and_the_largest_sizes_are_waited_for_and_taken() {
    let surroundings = Surroundings::new("longest").await;
    let (process, mut feed) = surroundings.start("range::longest_program").await;
    let http = process.address(Protocol::Http).await;
    let https = process.address(Protocol::Https).await;

    // Heads, bodies, and the time between two requests.
    let mut kept = connect(http).await;
    for _ in 0..2 {
        kept.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        assert_eq!(get_at(http, "/").await.text(), "here");
        kept.write_all(b"Host: localhost\r\n\r\n").await.unwrap();
        hear(&mut kept, "\r\n\r\nhere").await;
    }
    assert_eq!(post_slowly(http, "/text", "", "a slow body").await, "a slow body");
    assert_eq!(post_slowly(http, "/parts", PARTS, FORM).await, "5");
    let file = get_at(http, "/files/plain.txt").await;
    assert_eq!(file.headers["cache-control"], "max-age=315360000");

    // A client that reads only when another has read all of it.
    let large = b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut slow = connect(http).await;
    slow.write_all(large).await.unwrap();
    assert_eq!(raw(http, large).await.body.len(), LARGE);
    assert_eq!(raw_over(slow, b"").await.body.len(), LARGE);

    // TLS, HTTP/2.
    let answer = raw_over(secure_stream(https).await, large).await;
    assert_eq!(answer.body.len(), LARGE);
    let mut requests = http_2(https).await;
    for _ in 0..2 {
        assert_eq!(get_by_http_2(&mut requests, "/").await.unwrap(), (200, "here".to_owned()));
    }

    // Signals both ways, and the upstream.
    assert_eq!(get_at(http, "/fired").await.status, 204);
    let mut client = Client::connect_at(http, "/talk").await.unwrap();
    let mut secure = Client::over(secure_stream(https).await, "wss://localhost/talk").await;
    for said in ["\"hello\"", "\"still here\""] {
        secure.say(said).await;
        assert_eq!(client.text().await, said);
        assert_eq!(secure.text().await, said);
    }
    client.say("\"buy\"").await;
    assert_eq!(feed.text().await, "\"buy\"");
    feed.say("\"sold\"").await;
    assert_eq!(client.text().await, "\"sold\"");

    // The next process takes over, and the first waits for its clients.
    let start = surroundings.start("range::longest_program");
    let ((newer, newer_feed), ()) = tokio::join!(start, sees_it_leave(feed));
    let mut new = Client::connect_at(http, "/talk").await.unwrap();
    new.say("\"from the newer\"").await;
    for client in [&mut client, &mut new] {
        assert_eq!(client.text().await, "\"from the newer\"");
    }
    process.signal("-TERM");
    assert_eq!(client.close_code().await, 1012);
    assert_eq!(secure.text().await, "\"sold\"");
    assert_eq!(secure.text().await, "\"from the newer\"");
    assert_eq!(secure.close_code().await, 1012);
    drop((kept, requests));
    ends_well(process).await;

    newer.signal("-TERM");
    sees_it_leave(newer_feed).await;
    assert_eq!(new.close_code().await, 1001);
    ends_well(newer).await;
}

#[tokio::test]
async fn the_shortest_times_and_the_smallest_sizes_are_what_they_say() {
    let surroundings = Surroundings::new("shortest").await;
    let (process, feed) = surroundings.start("range::shortest_program").await;
    let http = process.address(Protocol::Http).await;
    let https = process.address(Protocol::Https).await;

    // One request for each connection, although the client doesn't ask for that.
    let mut requests = http_2(https).await;
    for _ in 0..10 {
        let answer = raw(http, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!((answer.status, answer.text()), (200, "here"));
    }
    assert_eq!(get_by_http_2(&mut requests, "/").await.unwrap(), (200, "here".to_owned()));
    idle_ends(requests).await;
    assert_eq!(get_at(http, "/files/plain.txt").await.headers["cache-control"], "no-cache");

    // Empty bodies, and others.
    let post = async |path, headers: &[(&str, &str)], body: &str| {
        request_at(http, "POST", path, headers, body.as_bytes()).await.status
    };
    assert_eq!(post("/text", &[], "").await, 200);
    assert_eq!(post("/text", &[], "a").await, 413);
    let parts = [("Content-Type", "multipart/form-data; boundary=XX")];
    assert_eq!(post("/parts", &parts, FORM).await, 413);
    let slow = b"POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n";
    assert_eq!(raw(http, slow).await.status, 408);

    // Clients that the server would have to wait for.
    let mut slow = connect(http).await;
    slow.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let cut_off = async {
        while slow.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(cut_off, "the end of a slow reader").await;

    // Signals.
    assert_eq!(get_at(http, "/fired").await.status, 204);
    let mut client = Client::connect_at(http, "/say").await.unwrap();
    client.say("\"hello\"").await;
    assert_eq!(client.text().await, "\"hello\"");
    assert_eq!(client.close_code().await, 1000);
    for path in ["/empty", "/in-parts"] {
        let mut client = Client::connect_at(http, path).await.unwrap();
        if path == "/empty" {
            client.say("").await;
            assert_eq!(client.text().await, "");
        }
        client.say("a").await;
        assert_eq!(client.close_code().await, 1009);
    }
    assert_eq!(Client::connect_at(http, "/nobody").await.err(), Some(503));
    assert_eq!(Client::connect_at(http, "/from-nowhere").await.err(), Some(429));

    // All clients are closed at once, and the server waits for none.
    let mut client = Client::connect_at(http, "/empty").await.unwrap();
    let start = surroundings.start("range::shortest_program");
    let ((newer, _newer_feed), ()) = tokio::join!(start, client.hear_end());
    drop(feed);
    ends_well(process).await;
    let mut client = Client::connect_at(http, "/empty").await.unwrap();
    newer.signal("-TERM");
    client.hear_end().await;
    ends_well(newer).await;
}

#[tokio::test]
async fn who_is_given_no_time_and_no_room_has_none() {
    let server = start(hasty()).await;
    let at = |name| server.endpoints().iter().find(|it| it.name == Some(name)).unwrap().address;
    for name in ["waits_for_no_head", "waits_for_no_tls"] {
        let mut silent = connect(at(name)).await;
        assert_eq!(within(silent.read(&mut [0]), "the end").await.unwrap_or(0), 0);
    }
    assert_eq!(get_at(at("takes_no_head"), "/").await.status, 431);
    for _ in 0..2 {
        // With no connection at all, it would serve nobody.
        assert_eq!(get_at(at("takes_one"), "/").await.text(), "here");
    }
    // A response is sent to its end.
    let mut requests = http_2(at("waits_for_no_request")).await;
    let (status, large) = get_by_http_2(&mut requests, "/large").await.unwrap();
    assert_eq!((status, large.len()), (200, LARGE));
    idle_ends(requests).await;
    within(server.stop(), "the stop").await;
}
