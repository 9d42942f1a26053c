//! The log: whatever happens to its output, the server continues, nothing waits
//! for it, and missing lines are reported.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pode::Protocol;
use pode::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, get_at, request_at, this_test, within};

#[derive(Default)]
struct Ticks(AtomicUsize);

/// Lets one `/slow` go on.
#[derive(Default)]
struct Gate(Notify);

pode_server! {
    server talkative(begun: Arc<Notify>) { stop_timeout: 1s };
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    state COUNT: Ticks = Ticks::default();
    state GATE: Gate = Gate::default();
    state BEGUN: Arc<Notify> = begun;
    route GET  "/" => async |_| text("here");
    route POST "/fail" (body: String) => async |_, body| Err::<(), _>(body);
 route GET  "/slow" => async |event| event.state(GATE).0.notified().await;
    route GET  "/go" => async |event| event.state(GATE).0.notify_one();
    route GET  "/file" => async |_| file("behavior/files/plain.txt").await;
    public "behavior/files";
    route GET  "/never" => async |event| -> () {
        event.state(BEGUN).notify_one();
        std::future::pending().await
    };
    route GET  "/panic" => async |_| -> () { panic!("as the test wants it") };
    signal TICKS: usize = "/ticks";
    signal SHORT: String -> String = "/short" { max_message_bytes: 10 } => async |event, said: String| {
        event.reply(&said).await
    };
    timer "fails" every 10ms => async |event| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let count = event.state(COUNT).0.fetch_add(1, Ordering::Relaxed);
        event.send(TICKS, &count).await?;
        Err("as always".into())
    };
}

/// An environment variable of the program below.
const ALONE: &str = "PODE_TEST_TALKATIVE";

/// Its value for a program that only logs so many lines.
const ENDS: &str = "ends";

/// Its value for a program that stops while a request waits.
const STOPS: &str = "stops";

/// Its value for a program with a subscriber of its own.
const OWN: &str = "own";
const LAST_LINES: usize = 1000;

/// The program of these tests, which run this one alone, in a process of its
/// own. It prints its addresses on its standard output.
#[test]
fn program() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    if std::env::var_os(ALONE).is_some_and(|what| what == OWN) {
        let log = tracing_subscriber::fmt().with_writer(pode::log_writer);
        log.with_ansi(false).log_internal_errors(false).init();
        std::panic::set_hook(Box::new(pode::print_panic));
    } else {
        pode::log_to_terminal();
    }
    if std::env::var_os(ALONE).is_some_and(|what| what == ENDS) {
        for _ in 0..LAST_LINES {
            tracing::info!("the last words");
        }
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let begun = Arc::new(Notify::new());
        let server = talkative(Arc::clone(&begun)).start().await.unwrap();
        println!("http {}", server.address(Protocol::Http).unwrap());
        println!("ws {}", server.address(Protocol::Ws).unwrap());
        if std::env::var_os(ALONE).is_some_and(|what| what == STOPS) {
            begun.notified().await;
            return server.stop().await;
        }
        std::future::pending::<()>().await;
    });
}

struct Program {
    child: Child,
    http: SocketAddr,
    ws: SocketAddr,
}

/// Runs the program with its log going there.
async fn start_program(log: Stdio) -> Program {
    start_program_as("", log).await
}

async fn start_program_as(what: &str, log: Stdio) -> Program {
    let mut command = this_test("log::program");
    command.env(ALONE, what).env_remove("RUST_BACKTRACE").kill_on_drop(true);
    start_by(command.stderr(log)).await
}

async fn start_by(command: &mut Command) -> Program {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let http = address(&mut lines, "http ").await;
    let ws = address(&mut lines, "ws ").await;
    Program { child, http, ws }
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>, name: &str) -> SocketAddr {
    loop {
        let line = within(lines.next_line(), "an address").await.unwrap().expect("it goes on");
        // The test harness begins the line.
        if let Some((_, address)) = line.split_once(name) {
            return address.parse().unwrap();
        }
    }
}

impl Program {
    /// Makes everything log that can, and checks that it still works.
    async fn works(&self) {
        let mut listener = Client::connect_at(self.ws, "/short").await.unwrap();
        for _ in 0..3 {
            let mut talker = Client::connect_at(self.ws, "/short").await.unwrap();
            talker.send(Message::text("\"more than ten\"")).await;
            assert_eq!(talker.close_code().await, 1009);
            let answer = request_at(self.http, "POST", "/fail", &[], b"whatever").await;
            assert_eq!(answer.status, 500);
            assert_eq!(get_at(self.http, "/panic").await.status, 500);
            assert_eq!(get_at(self.http, "/").await.text(), "here");
            listener.say("\"still\"").await;
            assert_eq!(listener.text().await, "\"still\"");
        }
        let mut ticks = Client::connect_at(self.ws, "/ticks").await.unwrap();
        for _ in 0..3 {
            ticks.text().await;
        }
    }

    /// Logs more than may wait to be written.
    async fn flood(&self) {
        // As long as a line may be.
        let line = [b'x'; 4 << 10];
        for _ in 0..(2 << 20) / line.len() {
            assert_eq!(request_at(self.http, "POST", "/fail", &[], &line).await.status, 500);
        }
    }
}

/// Runs the program with this as `RUST_LOG`, makes requests and opens WebSockets,
/// waits until so many are told to be closed, and returns all lines up to one of a
/// handler's error.
async fn lines_with(levels: Option<&str>, closed: usize) -> Vec<String> {
    let mut command = this_test("log::program");
    command.env(ALONE, "").env_remove("RUST_BACKTRACE");
    command.envs(levels.map(|levels| ("RUST_LOG", levels)));
    let mut program = start_by(command.kill_on_drop(true).stderr(Stdio::piped())).await;

    assert_eq!(get_at(program.http, "/").await.text(), "here");
    assert_eq!(get_at(program.http, "/%0a\"INFO").await.status, 404);
    for (path, range) in [("/file", "bytes=0-"), ("/plain.txt", "bytes=1-4")] {
        assert_eq!(get_at(program.http, path).await.status, 200);
        let part = request_at(program.http, "GET", path, &[("range", range)], b"").await;
        assert_eq!(part.status, 206);
    }
    let mut long = Client::connect_at(program.ws, "/short").await.unwrap();
    Client::connect_at(program.ws, "/ticks").await.unwrap().leave(1000).await;
    long.send(Message::text("\"more than ten\"")).await;
    assert_eq!(long.close_code().await, 1009);
    assert_eq!(Client::connect_at(program.ws, "/tick").await.err(), Some(404));

    let mut log = BufReader::new(program.child.stderr.take().unwrap()).lines();
    let mut lines: Vec<String> = Vec::new();
    while count(&lines, " is closed: ") < closed {
        lines.push(within(log.next_line(), "a line").await.unwrap().unwrap());
    }
    let answer = request_at(program.http, "POST", "/fail", &[], b"the \"end\"").await;
    assert_eq!(answer.status, 500);
    while count(&lines, "the \"end\"") == 0 {
        lines.push(within(log.next_line(), "a line").await.unwrap().unwrap());
    }
    lines
}

fn count(lines: &[String], part: &str) -> usize {
    lines.iter().filter(|line| line.contains(part)).count()
}

#[tokio::test]
async fn each_request_and_each_web_socket_is_told() {
    let lines = lines_with(None, 2).await;
    let has = |parts: &[&str]| {
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        assert_eq!(lines.iter().filter(has_all).count(), 1, "{parts:?}: {lines:#?}");
    };
    let client = " client=127.0.0.1:";
    has(&[r#" INFO GET "/" 200 bytes=4 time="#, client]);
    has(&[r#" INFO GET "/%0a\"INFO" 404 bytes="#, client]);
    // Files are sent piece by piece.
    has(&[r#" INFO GET "/file" 200 bytes=13 time="#]);
    has(&[r#" INFO GET "/file" 206 bytes=13 time="#]);
    has(&[r#" INFO GET "/plain.txt" 200 bytes=13 time="#]);
    has(&[r#" INFO GET "/plain.txt" 206 bytes=4 time="#]);
    has(&[r#" INFO GET "/ticks" opens a WebSocket"#, client]);
    has(&[r#" INFO WebSocket "/ticks" is closed: the client closed it code=1000 time="#]);
    has(&[r#" INFO WebSocket "/short" is closed: the client broke a rule code=1009 time="#]);
    has(&[r#"path="/tick""#, "no signal has this path at this endpoint, so no WebSocket opens"]);
    has(&[r#" INFO GET "/tick" 404 "#]);
    // What a handler says is quoted as it says it.
    assert!(lines.last().unwrap().ends_with(r#"path="/fail"}: the "end""#), "{lines:#?}");
}

#[tokio::test]
async fn a_request_that_a_stop_cuts_off_is_told_so() {
    let program = start_program_as(STOPS, Stdio::piped()).await;
    let mut client = TcpStream::connect(program.http).await.unwrap();
    client.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let ended = within(program.child.wait_with_output(), "its end").await.unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    let told = r#" INFO GET "/never" has no answer: the server has stopped time="#;
    assert!(log.contains(told), "{log}");
}

#[tokio::test]
async fn a_client_that_has_ended_its_side_is_told_as_one_that_may_have_gone() {
    let mut program = start_program(Stdio::piped()).await;
    let mut log = BufReader::new(program.child.stderr.take().unwrap()).lines();
    // The server may learn of the end only after it has answered.
    let told = async {
        loop {
            let mut client = TcpStream::connect(program.http).await.unwrap();
            client.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            client.shutdown().await.unwrap();
            get_at(program.http, "/go").await;
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
            let line = loop {
                let line = log.next_line().await.unwrap().unwrap();
                if line.contains("\"/slow\"") {
                    break line;
                }
            };
            if line.contains(r#" INFO GET "/slow" 204 (its client may have gone) bytes=0 time="#) {
                return;
            }
        }
    };
    within(told, "the line of one that is noticed").await;
}

#[tokio::test]
async fn the_environment_says_what_is_logged() {
    let lines = lines_with(Some("info,pode::access=off"), 0).await;
    assert_eq!(count(&lines, "GET \"/\" 200"), 0, "{lines:#?}");
    assert_eq!(count(&lines, " listens on "), 2, "{lines:#?}");
    let lines = lines_with(Some("pode=error"), 0).await;
    assert_eq!(count(&lines, " INFO ") + count(&lines, " WARN "), 0, "{lines:#?}");
    // A value that can't be read is told, and is as good as none.
    let lines = lines_with(Some("pode=loud"), 0).await;
    assert_eq!(count(&lines, r#" WARN RUST_LOG="pode=loud" is ignored; "#), 1, "{lines:#?}");
    assert_eq!(count(&lines, "GET \"/\" 200"), 1, "{lines:#?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_on_a_full_disk_costs_nothing_but_its_lines() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let program = start_program(full.into()).await;
    program.works().await;
    program.flood().await;
    program.works().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_that_may_not_grow_costs_nothing_but_its_lines() {
    let file = std::env::temp_dir().join(format!("pode-log-{}", std::process::id()));
    let test = this_test("log::program");
    let test = test.as_std();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 4 && exec \"$0\" \"$@\" 2>\"$LOG\""]);
    command.arg(test.get_program()).args(test.get_args()).env("LOG", &file);
    let program = start_by(command.env(ALONE, "").kill_on_drop(true)).await;
    program.flood().await;
    program.works().await;
    // It may have no more than four blocks, of 512 bytes or of 1024.
    let bytes = std::fs::metadata(&file).unwrap().len();
    std::fs::remove_file(&file).unwrap();
    assert!((1..=4096).contains(&bytes), "{bytes} bytes");
}

#[tokio::test]
async fn a_log_whose_reader_goes_costs_nothing_but_its_lines() {
    let mut program = start_program(Stdio::piped()).await;
    let mut log = BufReader::new(program.child.stderr.take().unwrap()).lines();
    within(log.next_line(), "the first line").await.unwrap().unwrap();
    drop(log);
    program.works().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_that_is_closed_costs_nothing_but_its_lines() {
    let test = this_test("log::program");
    let test = test.as_std();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" 2>&-"]).arg(test.get_program()).args(test.get_args());
    let program = start_by(command.env(ALONE, "").kill_on_drop(true)).await;
    program.works().await;
}

#[tokio::test]
async fn nobody_waits_for_a_log_of_its_own_that_stalls() {
    let program = start_program_as(OWN, Stdio::piped()).await;
    program.flood().await;
    program.works().await;
}

#[tokio::test]
async fn nobody_waits_for_a_log_that_stalls_and_missing_lines_are_told() {
    let mut program = start_program(Stdio::piped()).await;
    program.flood().await;
    program.works().await;

    let mut log = BufReader::new(program.child.stderr.take().unwrap()).lines();
    let told = async {
        while let Some(line) = log.next_line().await.unwrap() {
            let notice = " lines of the log could not be written, and are missing";
            if let Some((count, _)) = line.split_once(notice) {
                return count.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
            }
        }
        panic!("nothing is told of the lines that are missing")
    };
    assert!(within(told, "the number of missing lines").await > 0);
    // Then the log works again.
    let answer = request_at(program.http, "POST", "/fail", &[], b"heard again").await;
    assert_eq!(answer.status, 500);
    let heard = async { while !log.next_line().await.unwrap().unwrap().contains("heard again") {} };
    within(heard, "the next line").await;
}

#[tokio::test]
async fn the_last_lines_of_a_program_are_written() {
    let mut command = this_test("log::program");
    command.env(ALONE, ENDS).stdout(Stdio::null()).stderr(Stdio::piped());
    let ended = within(command.output(), "its end").await.unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    let lines = log.lines().filter(|line| line.contains("the last words")).count();
    assert_eq!(lines, LAST_LINES, "{log}");
}

#[tokio::test]
async fn what_strangers_can_cause_at_will_is_told_now_and_then() {
    let path = std::env::temp_dir().join(format!("pode-refusals-{}", std::process::id()));
    let program = start_program(std::fs::File::create(&path).unwrap().into()).await;
    let origin = format!("http://{}.example", "x".repeat(20_000));
    for _ in 0..300 {
        let refused = Client::handshake(program.ws, "/ticks", &[("origin", &origin)]).await;
        assert_eq!(refused.map(drop).unwrap_err().0, 403);
    }
    // The next line that isn't left out says how many were.
    let told = async {
        loop {
            let log = std::fs::read_to_string(&path).unwrap();
            if log.contains("lines like the next one are left out") {
                return log;
            }
            let refused = Client::handshake(program.ws, "/ticks", &[("origin", &origin)]).await;
            assert_eq!(refused.map(drop).unwrap_err().0, 403);
        }
    };
    let log = within(told, "the number of missing lines").await;
    std::fs::remove_file(path).unwrap();
    let refusals: Vec<_> = log.lines().filter(|line| line.contains("another origin")).collect();
    assert!((10..200).contains(&refusals.len()), "{}", refusals.len());
    assert!(refusals.iter().all(|line| line.len() < 1000), "{}", refusals[0]);
}
