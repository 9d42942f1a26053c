//! Slow clients: every wait for them has a deadline, and nobody else waits.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use pode::prelude::*;
use pode::{Protocol, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{Answer, Client, bare_client, get, raw, start, within};

/// How long a slow client waits between two bytes.
const A_WHILE: Duration = Duration::from_millis(100);

/// More than the system and its buffers take for a client that doesn't read.
const LARGE: usize = 64 << 20;

pode_server! {
    server strict {
        limits: Limits {
            head_timeout: 2s,
            keep_alive_timeout: 2s,
            body_timeout: 2s,
            write_timeout: 2s,
            min_bytes_per_second: 100,
        },
    };
    endpoint http "127.0.0.1:0";
    // Limits that aren't named here are the server's.
    endpoint patient http "127.0.0.1:0" { limits: Limits { keep_alive_timeout: 1h } };
    endpoint ws   "127.0.0.1:0";
    route GET  "/" => async |_| text("here");
    route GET  "/large" => async |_| bytes("application/octet-stream", vec![0; LARGE]);
    route POST "/text" (body: String) => async |_, body| text(body);
    route POST "/json" (json: Vec<u8>) => async |_, json: Vec<u8>| text(json.len().to_string());
    route POST "/parts" (multipart: Multipart) => async |_, mut form: Multipart| -> Result<(), EventError> {
        while let Some(part) = form.next().await? {
            part.bytes().await?;
        }
        Ok(())
    };
    route POST "/patient" (body: String) { limits: Limits { body_timeout: 1h } } => async |_, body| text(body);
    signal TALK: String -> String = "/talk" { heartbeat: 1s } => async |event, said: String| event.reply(&said).await;
    signal NEWS: String = "/news" { heartbeat: 1s };
    signal SHORT: String -> String = "/short" { idle_timeout: 1s } => async |event, said: String| event.reply(&said).await;
}

async fn connect(address: SocketAddr) -> TcpStream {
    within(TcpStream::connect(address), "a connection").await.unwrap()
}

/// Sends some bytes at once, then single bytes at intervals for as long as
/// possible, and returns the bytes received until the end.
async fn trickle(stream: TcpStream, begins: &[u8], byte: u8) -> Vec<u8> {
    let (mut reads, mut writes) = stream.into_split();
    writes.write_all(begins).await.unwrap();
    let writing = async {
        while writes.write_all(&[byte]).await.is_ok() {
            sleep(A_WHILE).await;
        }
        std::future::pending::<()>().await
    };
    let mut heard = Vec::new();
    let reading = async {
        // A reset is an end, too.
        let _ = reads.read_to_end(&mut heard).await;
    };
    tokio::select! {
        () = within(reading, "the end") => {}
        () = writing => {}
    }
    heard
}

async fn is_served(server: &RunningServer) {
    assert_eq!(get(server, "/").await.text(), "here");
}

#[tokio::test]
async fn heads_that_trickle_end_and_hold_up_nobody() {
    let server = start(strict()).await;
    for protocol in [Protocol::Http, Protocol::Ws] {
        let address = server.address(protocol).unwrap();
        let slow = (0..100).map(async |number| {
            let begins: &[u8] = match number % 4 {
                0 => b"",
                1 => b"GET / HTTP/1.1\r\nHost: localhost\r\nA: ",
                2 => b"GET /talk HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nA: ",
                _ => b"\r\n",
            };
            assert_eq!(trickle(connect(address).await, begins, b'a').await, b"");
        });
        let others = async {
            for _ in 0..20 {
                is_served(&server).await;
            }
        };
        tokio::join!(join_all(slow), others);
    }
}

#[tokio::test]
async fn who_says_nothing_is_left() {
    let server = start(strict()).await;
    let mut silent = connect(server.address(Protocol::Http).unwrap()).await;
    assert_eq!(within(silent.read(&mut [0]), "the end").await.unwrap_or(0), 0);
    is_served(&server).await;
}

/// Sends a request over a kept-alive connection, and reads the response.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nhere") {
        answer.push(within(stream.read_u8(), "an answer").await.unwrap());
    }
}

#[tokio::test]
async fn the_wait_for_the_next_request_is_another_than_that_for_its_end() {
    let server = start(strict()).await;
    let patient = server.endpoints().iter().find(|it| it.name == Some("patient")).unwrap().address;
    let mut idle = connect(server.address(Protocol::Http).unwrap()).await;
    ask(&mut idle).await;
    let mut kept = connect(patient).await;
    ask(&mut kept).await;
    // By then the time for a head is over, too.
    assert_eq!(within(idle.read(&mut [0]), "the end").await.unwrap_or(0), 0);
    let mut silent = connect(patient).await;
    assert_eq!(within(silent.read(&mut [0]), "the end").await.unwrap_or(0), 0);
    ask(&mut kept).await;
    // A head that has begun has its own time.
    assert_eq!(trickle(kept, b"GET / HTTP/1.1\r\nA: ", b'a').await, b"");
}

fn answer(heard: &[u8]) -> (&str, &str) {
    let heard = std::str::from_utf8(heard).unwrap();
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{heard:?}"));
    (&head[..12], body.trim_end())
}

#[tokio::test]
async fn bodies_that_trickle_are_answered_with_408_and_hold_up_nobody() {
    let server = start(strict()).await;
    let address = server.address(Protocol::Http).unwrap();
    let requests = [
        ("/text", "Content-Length: 1000000", ""),
        ("/text", "Transfer-Encoding: chunked", "5\r\nhello\r\nffff\r\n"),
        ("/json", "Content-Type: application/json\r\nContent-Length: 1000000", "["),
        (
            "/parts",
            "Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: 1000000",
            "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n",
        ),
    ];
    let slow = (0..100).map(async |number| {
        let (path, headers, begins) = requests[number % requests.len()];
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{begins}");
        let heard = trickle(connect(address).await, head.as_bytes(), b'1').await;
        assert_eq!(answer(&heard), ("HTTP/1.1 408", "the body comes too slowly"), "{path}");
    });
    let others = async {
        for _ in 0..20 {
            is_served(&server).await;
        }
    };
    tokio::join!(join_all(slow), others);
}

#[tokio::test]
async fn a_body_that_keeps_pace_may_take_longer_than_the_timeout() {
    let server = start(strict()).await;
    let address = server.address(Protocol::Http).unwrap();
    let body = async |path: &str, pieces: usize, piece: &str| -> Answer {
        let mut stream = connect(address).await;
        let length = pieces * piece.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 1..pieces {
            stream.write_all(piece.as_bytes()).await.unwrap();
            sleep(A_WHILE).await;
        }
        crate::support::raw_over(stream, piece.as_bytes()).await
    };
    let fast_enough = "a".repeat(1000);
    let (long, slow) = tokio::join!(body("/text", 25, &fast_enough), body("/patient", 25, "a"));
    assert_eq!((long.status, long.body.len()), (200, 25_000));
    assert_eq!((slow.status, slow.body.len()), (200, 25));
}

/// Waits until a connection that isn't read from has been reset.
async fn is_cut_off(stream: &mut TcpStream) {
    let cut_off = async {
        // The server doesn't read either, but the system accepts some bytes.
        while stream.write_all(b"x").await.is_ok() {
            sleep(A_WHILE).await;
        }
    };
    within(cut_off, "the end").await;
}

#[tokio::test]
async fn readers_that_never_read_are_cut_off_and_hold_up_nobody() {
    let server = start(strict()).await;
    let address = server.address(Protocol::Http).unwrap();
    let slow = (0..8).map(async |_| {
        let mut stream = connect(address).await;
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        is_cut_off(&mut stream).await;
    });
    let others = async {
        for _ in 0..20 {
            is_served(&server).await;
        }
    };
    tokio::join!(join_all(slow), others);
    // A client that reads gets all of it.
    let large =
        raw(address, b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(large.body.len(), LARGE);
}

#[tokio::test]
async fn requests_without_end_whose_answers_nobody_reads_are_cut_off() {
    let server = start(strict()).await;
    let stream = connect(server.address(Protocol::Http).unwrap()).await;
    let (_reads, mut writes) = stream.into_split();
    let requests = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let flood = async { while writes.write_all(&requests).await.is_ok() {} };
    tokio::join!(within(flood, "the end"), is_served(&server));
}

#[tokio::test]
async fn a_frame_that_never_ends_is_given_up() {
    let server = start(strict()).await;
    // A message of 60,000 bytes, masked with zeros.
    let begins = b"\x82\xfe\xea\x60\0\0\0\0";
    let heard = trickle(bare_client(&server, "/talk").await, begins, b'a').await;
    let close = heard.windows(4).find(|four| four[0] == 0x88).expect("a close frame");
    assert_eq!(u16::from_be_bytes([close[2], close[3]]), 1008);
    // The server doesn't wait for a client that stops midway, either.
    for path in ["/talk", "/news"] {
        let mut silent = bare_client(&server, path).await;
        silent.write_all(&begins[..3]).await.unwrap();
        let end = async { while silent.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} };
        within(end, "the end").await;
    }
    let mut other = Client::connect(&server, "/talk").await;
    other.say("\"still here\"").await;
    assert_eq!(other.text().await, "\"still here\"");
}

#[tokio::test]
async fn a_client_that_says_nothing_for_too_long_is_told_so() {
    let server = start(strict()).await;
    let mut idle = Client::connect(&server, "/short").await;
    idle.say("\"hi\"").await;
    assert_eq!(idle.text().await, "\"hi\"");
    assert_eq!(idle.close_code().await, 1000);
}
