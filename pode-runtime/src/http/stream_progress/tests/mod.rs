//! Clients that speak HTTP/2 frame by frame, in paused time, which jumps ahead
//! when every task waits for it.

mod windows;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use warp::reply::Response;

use crate::base::limits::Limits;
use crate::http::activity::RequestBody;
use crate::http::http2::serve;

// Types of frames: RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

const MAX_WINDOW: u32 = (1 << 31) - 1;

/// As long as the path says: `GET https://localhost/…` (RFC 7541, appendix A).
fn get(bytes: usize) -> Vec<u8> {
    let path = format!("/{bytes}");
    let length = u8::try_from(path.len()).unwrap();
    [&b"\x82\x87\x04"[..], &[length], path.as_bytes(), b"\x41\x09localhost"].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head, &stream.to_be_bytes()[..], payload].concat()
}

fn initial_window(bytes: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&[0, 4], &bytes.to_be_bytes()[..]].concat())
}

/// A response's bytes, and who counts those that are in memory.
struct Answer(Vec<u8>, #[expect(dead_code, reason = "it is counted")] Arc<()>);

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn limits() -> Limits {
    Limits {
        write_timeout: Duration::from_secs(20),
        min_bytes_per_second: 1000,
        keep_alive_timeout: Duration::from_secs(40),
        ..Limits::default()
    }
}

#[derive(Debug)]
struct Heard {
    kind: u8,
    stream: u32,
    bytes: usize,
    is_last: bool,
}

/// A client that reads, and answers pings.
struct Client {
    writes: Arc<Mutex<WriteHalf<DuplexStream>>>,
    heard: mpsc::UnboundedReceiver<Heard>,
    serving: JoinHandle<hyper::Result<()>>,
    answers: Arc<()>,
    next: u32,
    _stopping: watch::Sender<Option<Instant>>,
}

impl Client {
    /// Connects, with this window for each stream and a large one for all.
    async fn connect(window: u32) -> Client {
        Client::with_link(window, None).await
    }

    /// Reads at most so many bytes per second, of which the way holds 1,000.
    async fn with_link(window: u32, bytes_per_second: Option<u32>) -> Client {
        let (server, client) = duplex(1000);
        let (stopping, answers) = (watch::Sender::new(None), Arc::new(()));
        let told = stopping.subscribe();
        let counted = Arc::downgrade(&answers);
        let service = move |request: Request<RequestBody<Incoming>>| {
            let bytes = request.uri().path()[1..].parse().expect("paths are numbers");
            let answer = Answer(vec![0; bytes], counted.upgrade().unwrap_or_default());
            async { Ok::<_, Infallible>(Response::new(Bytes::from_owner(answer).into())) }
        };
        let serving =
            tokio::spawn(async move { serve(server, None, &limits(), service, told).await });
        let (reads, mut writes) = split(client);
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &initial_window(window)[..]].concat();
        writes.write_all(&hello).await.unwrap();
        let writes = Arc::new(Mutex::new(writes));
        let (hears, heard) = mpsc::unbounded_channel();
        tokio::spawn(read(reads, Arc::clone(&writes), hears, bytes_per_second));
        let client = Client { writes, heard, serving, answers, next: 1, _stopping: stopping };
        client.widen(0, MAX_WINDOW - 65_535).await;
        client
    }

    /// Nothing is sent if the connection has ended.
    async fn send(&self, frame: &[u8]) {
        let _ = self.writes.lock().await.write_all(frame).await;
    }

    async fn widen(&self, stream: u32, bytes: u32) {
        self.send(&frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())).await;
    }

    /// Asks for an answer of so many bytes, and returns the stream.
    async fn ask(&mut self, bytes: usize) -> u32 {
        let stream = self.next;
        self.next += 2;
        self.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &get(bytes))).await;
        stream
    }

    /// Waits for a frame other than a ping; `None` if the connection has ended.
    async fn hear(&mut self) -> Option<Heard> {
        let heard = timeout(Duration::from_secs(3600), self.heard.recv()).await;
        heard.expect("a frame in an hour")
    }

    /// Waits for the end of a stream, and returns how many bytes have come;
    /// `None` if the stream was reset, or the connection ended.
    async fn answer(&mut self, stream: u32) -> Option<usize> {
        let mut bytes = 0;
        loop {
            let heard = self.hear().await?;
            match heard.kind {
                _ if heard.stream != stream => {}
                RESET => return None,
                DATA => bytes += heard.bytes,
                _ => {}
            }
            if heard.stream == stream && heard.is_last {
                return Some(bytes);
            }
        }
    }

    /// How many answers are in memory.
    fn held(&self) -> usize {
        Arc::strong_count(&self.answers) - 1
    }
}

async fn read(
    mut reads: ReadHalf<DuplexStream>,
    writes: Arc<Mutex<WriteHalf<DuplexStream>>>,
    hears: mpsc::UnboundedSender<Heard>,
    bytes_per_second: Option<u32>,
) {
    let (mut read, mut buffer) = (Vec::new(), [0; 100]);
    while let Ok(bytes @ 1..) = reads.read(&mut buffer).await {
        if let Some(pace) = bytes_per_second {
            sleep(Duration::from_secs(1) * u32::try_from(bytes).unwrap() / pace).await;
        }
        read.extend_from_slice(&buffer[..bytes]);
        while let Some((head, rest)) = read.split_first_chunk::<9>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some(payload) = rest.get(..length) else { break };
            let (kind, flags) = (head[3], head[4]);
            if kind == PING && flags & ACK == 0 {
                let pong = frame(PING, ACK, 0, payload);
                let _ = writes.lock().await.write_all(&pong).await;
            } else {
                let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                let is_last = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
                let _ = hears.send(Heard { kind, stream, bytes: length, is_last });
            }
            read.drain(..9 + length);
        }
    }
}

/// Waits until this many streams have been reset.
async fn resets(client: &mut Client, mut streams: usize) {
    while streams > 0 {
        let heard = client.hear().await.expect("the connection goes on");
        streams -= usize::from(heard.kind == RESET);
    }
}

#[track_caller]
fn took_about(started: Instant, expected: Duration) {
    let took = started.elapsed();
    assert!(took >= expected && took <= expected * 11 / 10, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_opens_no_window_loses_its_responses() {
    let mut client = Client::connect(0).await;
    let started = Instant::now();
    for _ in 0..95 {
        client.ask(100_000).await;
    }
    resets(&mut client, 95).await;
    took_about(started, limits().write_timeout);
    assert_eq!(client.held(), 0);
    // The connection goes on.
    let next = client.ask(100).await;
    client.widen(next, 100).await;
    assert_eq!(client.answer(next).await, Some(100));
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_answered_keep_no_others() {
    let mut client = Client::connect(0).await;
    let started = Instant::now();
    for _ in 0..95 {
        client.ask(100_000).await;
    }
    while client.held() > 0 {
        assert!(started.elapsed() < limits().write_timeout * 2, "they are held");
        sleep(Duration::from_secs(5)).await;
        let small = client.ask(10).await;
        client.widen(small, 10).await;
        assert_eq!(client.answer(small).await, Some(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_opens_byte_by_byte_is_too_slow() {
    // More than a piece is reset; the rest of what h2 has ends the connection.
    for (bytes, goes_on) in [(100_000, true), (10_000, false)] {
        let mut client = Client::connect(0).await;
        let started = Instant::now();
        let stream = client.ask(bytes).await;
        let trickle = async {
            while client.held() > 0 || started.elapsed().is_zero() {
                client.widen(stream, 1).await;
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(limits().write_timeout * 3, trickle).await.expect("the response ends");
        assert!(started.elapsed() >= limits().write_timeout);
        let next = client.ask(100).await;
        client.widen(next, 100).await;
        assert_eq!(client.answer(next).await.is_some(), goes_on);
        assert_eq!(client.serving.is_finished(), !goes_on);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_taken_back_holds_nothing() {
    let mut client = Client::with_link(16_384, Some(2000)).await;
    let started = Instant::now();
    client.ask(16_384).await;
    let second = client.ask(16_384).await;
    // By now h2 has all of both.
    while client.hear().await.expect("the server begins").kind != HEADERS {}
    client.send(&initial_window(0)).await;
    assert_eq!(client.answer(second).await, None);
    assert!(started.elapsed() <= limits().write_timeout * 3, "{:?}", started.elapsed());
    assert_eq!(client.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_keeps_pace_gets_all_of_it() {
    let mut client = Client::connect(0).await;
    let started = Instant::now();
    let stream = client.ask(200_000).await;
    for _ in 0..100 {
        client.widen(stream, 2000).await;
        sleep(Duration::from_secs(2)).await;
    }
    assert_eq!(client.answer(stream).await, Some(200_000));
    assert!(started.elapsed() > limits().write_timeout * 5);
}

/// A response that is there but waits for its turn isn't its client's fault.
#[tokio::test(start_paused = true)]
async fn on_a_slow_link_responses_wait_for_each_other() {
    const STREAMS: usize = 50;
    let mut client = Client::with_link(MAX_WINDOW, Some(1200)).await;
    let started = Instant::now();
    for _ in 0..STREAMS {
        client.ask(50_000).await;
    }
    let (mut bytes, mut ended) = (0, 0);
    while ended < STREAMS {
        let Some(heard) = client.hear().await else {
            panic!("after {:?}: {:?}", started.elapsed(), client.serving.await)
        };
        assert_ne!(heard.kind, RESET, "after {:?}", started.elapsed());
        bytes += if heard.kind == DATA { heard.bytes } else { 0 };
        ended += usize::from(heard.is_last);
    }
    assert_eq!(bytes, STREAMS * 50_000);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_its_client_holds_back_ends_beside_others() {
    let mut client = Client::with_link(0, Some(1200)).await;
    let started = Instant::now();
    let held = client.ask(100_000).await;
    let taken = [client.ask(1 << 20).await, client.ask(1 << 20).await];
    for stream in taken {
        client.widen(stream, 1 << 20).await;
    }
    while client.held() < 3 {
        client.hear().await.expect("the connection goes on");
    }
    while client.held() == 3 {
        sleep(Duration::from_secs(1)).await;
    }
    // Three share the time, of which each takes two turns.
    assert!(started.elapsed() >= limits().write_timeout);
    assert!(started.elapsed() <= limits().write_timeout * 7);
    assert_eq!(client.answer(held).await, None);
    assert!(client.answer(taken[0]).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn who_reads_next_to_nothing_is_cut_off() {
    let mut client = Client::with_link(MAX_WINDOW, Some(1)).await;
    let started = Instant::now();
    client.ask(1 << 20).await;
    // Pings, which it can't answer, have more time.
    let ended = timeout(limits().write_timeout * 11 / 10, &mut client.serving).await;
    assert!(ended.is_ok());
    assert!(started.elapsed() >= limits().write_timeout);
}
