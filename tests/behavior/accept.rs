//! How connections are accepted: whatever happens to some of them, and when
//! there are more than allowed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pode::Protocol;
use pode::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, get, start, within};

#[derive(Default)]
struct Requests(AtomicUsize);

pode_server! {
    server few { limits: Limits { max_connections: 4, keep_alive_timeout: 1h } };
    endpoint http "127.0.0.1:0";
    endpoint own http "127.0.0.1:0" { limits: Limits { max_connections: 1 } };
    endpoint ws   "127.0.0.1:0";
    state REQUESTS: Requests = Requests::default();
    route GET "/" => async |event| {
        text(event.state(REQUESTS).0.fetch_add(1, Ordering::Relaxed).to_string())
    };
    signal NEWS: String = "/news";
}

pode_server! {
    server fair { limits: Limits { max_connections_per_address: 2 } };
    endpoint http  "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: self_signed() };
    route GET "/" => async |_| text("here");
}

pode_server! {
    server sturdy;
    endpoint http  "127.0.0.1:0";
    endpoint ws    "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: self_signed() };
    route GET  "/" => async |_| text("here");
    route GET  "/large" => async |_| bytes("application/octet-stream", vec![0; 1 << 20]);
    route POST "/" (body: String) => async |_, body| text(body);
    signal ECHO: String -> String = "/echo" => async |event, said: String| event.reply(&said).await;
}

/// Makes dropping the connection reset it.
fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

async fn connect(address: SocketAddr) -> TcpStream {
    within(TcpStream::connect(address), "a connection").await.unwrap()
}

/// Sends a request over a kept-alive connection, and returns the body of the
/// response.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    hear(stream).await
}

async fn hear(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8(), "an answer").await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    within(stream.read_exact(&mut body), "the body").await.unwrap();
    String::from_utf8(body).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn connections_that_are_reset_at_any_stage_end_alone() {
    let server = start(sturdy()).await;
    let mut other = Client::connect(&server, "/echo").await;
    let stages: [(Protocol, &[u8]); 11] = [
        (Protocol::Http, b""),
        (Protocol::Http, b"GE"),
        (Protocol::Http, b"GET / HTTP/1.1\r\nHos"),
        (Protocol::Http, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (Protocol::Http, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (Protocol::Http, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"),
        (Protocol::Https, b""),
        (Protocol::Https, b"\x16\x03\x01\x02\x00\x01\x00"),
        (Protocol::Https, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (
            Protocol::Ws,
            b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ),
        (
            Protocol::Ws,
            b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
              \x81\x85\0\0\0\0he",
        ),
    ];
    for round in 0..20 {
        for (protocol, sent) in stages {
            let mut stream = connect(server.address(protocol).unwrap()).await;
            stream.write_all(sent).await.unwrap();
            if round % 2 == 0 {
                // By then the server has read everything.
                assert_eq!(get(&server, "/").await.text(), "here");
            }
            reset(stream);
        }
    }
    other.say("\"still here\"").await;
    assert_eq!(other.text().await, "\"still here\"");
    // All of them are certain to have ended.
    let clients = server.signals().clients(ECHO);
    let all_gone = async { while clients.list().await.unwrap().len() > 1 {} };
    within(all_gone, "the end of all").await;
}

/// Tells whether a request waits while many others are answered.
async fn waits(stream: &mut TcpStream, others: &mut TcpStream) -> bool {
    for _ in 0..50 {
        ask(others).await;
    }
    stream.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn connections_beyond_the_most_wait_until_one_ends() {
    let server = start(few()).await;
    let address = server.address(Protocol::Http).unwrap();
    let mut first = connect(address).await;
    ask(&mut first).await;
    let mut second = connect(address).await;
    ask(&mut second).await;
    // A WebSocket counts as a connection, and so does one at another endpoint.
    let third = Client::connect(&server, "/news").await;
    let own = server.endpoints().iter().find(|it| it.name == Some("own")).unwrap().address;
    let mut fourth = connect(own).await;
    ask(&mut fourth).await;

    let mut fifth = connect(address).await;
    fifth.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(waits(&mut fifth, &mut first).await);
    drop(third);
    hear(&mut fifth).await;
    // There is capacity, but not at the endpoint that has its own limit.
    drop(second);
    let mut sixth = connect(own).await;
    sixth.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(waits(&mut sixth, &mut first).await);
    drop(fourth);
    hear(&mut sixth).await;
}

#[tokio::test]
async fn a_stop_doesnt_wait_for_connections_that_wait() {
    let server = start(few()).await;
    let address = server.address(Protocol::Http).unwrap();
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(address).await;
        ask(&mut stream).await;
        streams.push(stream);
    }
    let mut waiting = connect(address).await;
    assert!(waits(&mut waiting, &mut streams[0]).await);
    within(server.stop(), "the stop").await;
    assert_eq!(within(waiting.read(&mut [0]), "the end").await.unwrap_or(0), 0);
}

/// Connects from another address of this machine.
#[cfg(target_os = "linux")]
async fn connect_from(from: &str, address: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(from.parse().unwrap()).unwrap();
    within(socket.connect(address), "a connection").await.unwrap()
}

#[tokio::test]
async fn too_many_from_one_address_are_told_so() {
    let server = start(fair()).await;
    let address = server.address(Protocol::Http).unwrap();
    let mut first = connect(address).await;
    assert_eq!(ask(&mut first).await, "here");
    let mut second = connect(address).await;
    assert_eq!(ask(&mut second).await, "here");

    let mut refused = String::new();
    let mut third = connect(address).await;
    within(third.read_to_string(&mut refused), "the refusal").await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.ends_with("\r\n\r\ntoo many connections from your address\n"));
    // Over TLS, there is no response.
    let mut secure = connect(server.address(Protocol::Https).unwrap()).await;
    assert_eq!(within(secure.read(&mut [0]), "the end").await.unwrap_or(0), 0);
    #[cfg(target_os = "linux")]
    assert_eq!(ask(&mut connect_from("127.0.0.2:0", address).await).await, "here");

    drop(second);
    let served = async {
        loop {
            let mut next = connect(address).await;
            let sent = next.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            let mut answer = [0; 12];
            if sent.is_ok()
                && next.read_exact(&mut answer).await.is_ok()
                && answer == *b"HTTP/1.1 200"
            {
                return;
            }
        }
    };
    within(served, "room").await;
    assert_eq!(ask(&mut first).await, "here");
}

#[cfg(target_os = "linux")]
mod starving {
    //! What happens when the system has no descriptor left: in a process of its
    //! own, which may have few.

    use std::fs::File;
    use std::process::Stdio;
    use std::sync::Mutex;
    use std::time::Instant;

    use futures_util::future::join_all;
    use tokio::process::Command;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;
    use crate::support::{Process, this_test};

    /// An environment variable of that process.
    const ALONE: &str = "PODE_TEST_FEW_DESCRIPTORS";

    /// How many it may have. Half of them are reserved for files.
    const DESCRIPTORS: usize = 64;

    #[derive(Default)]
    struct Files(Mutex<Vec<File>>);

    pode_server! {
        // Waiting connections send nothing meanwhile.
        server starving { limits: Limits { head_timeout: 1h, keep_alive_timeout: 1h } };
        endpoint http "127.0.0.1:0";
        endpoint ws   "127.0.0.1:0";
        state FILES: Files = Files::default();
        route GET "/" => async |_| text("here");
        route GET "/open" => async |event| {
            let mut files = event.state(FILES).0.lock().unwrap();
            while let Ok(file) = File::open("/dev/null") {
                files.push(file);
            }
            text("opened")
        };
        route GET "/file" => async |_| file("Cargo.toml").await;
        route GET "/close" => async |event| {
            event.state(FILES).0.lock().unwrap().clear();
            text("closed")
        };
        signal SHORT: String -> String = "/short" { max_message_bytes: 10 } => async |_, _| {};
    }

    /// The program of the other test, which runs this one alone.
    #[test]
    fn program() {
        if std::env::var_os(ALONE).is_some() {
            pode::log_to_terminal();
            starving().run_blocking().unwrap();
        }
    }

    fn start_program() -> Process {
        let test = this_test("accept::starving::program");
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\"");
        let test = test.as_std();
        command.args(["-c", &script]).arg(test.get_program()).args(test.get_args());
        Process::start(command.env(ALONE, "").stdout(Stdio::null()))
    }

    /// Checks that a message is logged at most once a minute. The system
    /// decides how often its cause occurs meanwhile.
    fn check_is_rationed(program: &Process, started: Instant, text: &str) {
        let said = program.said();
        let told = said.iter().filter(|line| line.contains(text)).count();
        let most = 1 + started.elapsed().as_secs() / 60;
        assert!((1..=most).contains(&(told as u64)), "{text:?}: {said:#?}");
    }

    async fn ask_for(stream: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        hear(stream).await
    }

    async fn as_many_and_more(address: SocketAddr) -> Vec<TcpStream> {
        join_all((0..2 * DESCRIPTORS).map(|_| connect(address))).await
    }

    #[tokio::test]
    async fn without_descriptors_connections_wait_and_the_log_says_so_once_a_minute() {
        let started = Instant::now();
        let program = start_program();
        let http = program.address(Protocol::Http).await;
        let ws = program.address(Protocol::Ws).await;

        // A message that is too long is reported with the option's name.
        let mut client = Client::connect_at(ws, "/short").await.unwrap();
        client.send(Message::text("\"more than ten\"")).await;
        assert_eq!(client.close_code().await, 1009);
        program.says("more than 10 bytes (`max_message_bytes`)").await;

        let mut there = connect(http).await;
        assert_eq!(ask_for(&mut there, "/open").await, "opened");
        let mut waiting = connect(http).await;
        waiting.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        program.says("cannot accept connections").await;
        assert_eq!(ask_for(&mut there, "/").await, "here");
        let file = ask_for(&mut there, "/file").await;
        assert_eq!(file.trim_end(), "the file can't be read at the moment");
        assert_eq!(ask_for(&mut there, "/close").await, "closed");
        assert_eq!(hear(&mut waiting).await, "here");
        program.says("connections are accepted again").await;

        // No files are opened, but more connections come than allowed.
        let mut streams = as_many_and_more(http).await;
        program.says("is reached (`max_connections`)").await;
        assert_eq!(ask_for(&mut there, "/").await, "here");
        // A file can still be opened.
        assert_eq!(ask_for(&mut there, "/open").await, "opened");
        assert_eq!(ask_for(&mut there, "/close").await, "closed");
        for round in 0..3 {
            // Each makes room for a waiting one.
            for mut stream in streams {
                assert_eq!(ask_for(&mut stream, "/").await, "here", "round {round}");
            }
            program.says("there are fewer connections than their limit again").await;
            streams = as_many_and_more(http).await;
        }
        drop(streams);
        let mut next = connect(http).await;
        assert_eq!(ask_for(&mut next, "/").await, "here");
        check_is_rationed(&program, started, "cannot accept connections");
        check_is_rationed(&program, started, "connections is reached");
    }
}
