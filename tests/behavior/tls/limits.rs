//! Limits, as clients of HTTP/2 meet them.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use tokio::time::{Duration, sleep};

use super::frames::{
    END_HEADERS, END_STREAM, GET_ROOT, HEADERS, RESET, WINDOW_UPDATE, check_serves, frame,
    hello_with, next_of,
};
use super::*;
use crate::support::ask;

/// How long a slow client waits between two bytes.
const A_WHILE: Duration = Duration::from_millis(100);

/// More than the system and its buffers take for a client that doesn't read.
const LARGE: usize = 64 << 20;

const HOUR: Duration = Duration::from_secs(3600);

pode_server! {
    server strict(certificate: Certificate, held: Arc<()>) {
        limits: Limits {
            head_timeout: HOUR,
            keep_alive_timeout: HOUR,
            max_head_bytes: 10_000,
            max_body_bytes: 30_000,
            max_upload_bytes: 2_000,
            body_timeout: 2s,
            write_timeout: 2s,
            min_bytes_per_second: 1_000,
        },
    };
    endpoint https "127.0.0.1:0" { certificate: certificate };
    state HELD: Arc<()> = held;
    route GET "/" => async |_| text("page");
    route GET "/large" => async |event| {
        let held = Held(vec![0; 100_000], event.state(HELD).clone());
        bytes("application/octet-stream", Bytes::from_owner(held))
    };
    route GET "/huge" => async |_| bytes("application/octet-stream", vec![0; LARGE]);
    route POST "/text" (body: String) => async |_, body| text(body);
    route POST "/parts" (multipart: Multipart) => async |_, mut form: Multipart| -> Result<(), EventError> {
        while let Some(part) = form.next().await? {
            part.bytes().await?;
        }
        Ok(())
    };
}

pode_server! {
    server crowded(certificate: Certificate) {
        limits: Limits { max_connections: 1, keep_alive_timeout: HOUR },
    };
    endpoint https "127.0.0.1:0" { certificate: certificate };
    route GET "/" => async |_| text("page");
}

/// An answer, and who counts those in memory.
struct Held(Vec<u8>, #[expect(dead_code, reason = "it is counted")] Arc<()>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Starts the server, and returns what its answers hold.
async fn start_strict() -> (RunningServer, SocketAddr, Arc<()>) {
    let held = Arc::new(());
    let certificate = pem(file("chain.pem"), file("key.pem"));
    let server = start(strict(certificate, held.clone())).await;
    let address = server.address(Protocol::Https).unwrap();
    (server, address, held)
}

/// `GET https://localhost/large` and `/huge` (RFC 7541, appendix A).
const GET_LARGE: &[u8] = b"\x82\x87\x04\x06/large\x41\x09localhost";
const GET_HUGE: &[u8] = b"\x82\x87\x04\x05/huge\x41\x09localhost";

/// `SETTINGS_INITIAL_WINDOW_SIZE`.
fn initial_window(bytes: u32) -> Vec<u8> {
    [&[0, 4], &bytes.to_be_bytes()[..]].concat()
}

fn get(stream: u32, request: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, request)
}

#[tokio::test]
async fn windows_that_stay_closed_hold_no_answers() {
    const STREAMS: u32 = 95;
    let (_server, address, held) = start_strict().await;
    let idle = Arc::strong_count(&held);
    let client = async |is_busy: bool| {
        let client = hello_with(address, &initial_window(0)).await;
        let (mut reader, mut writer) = tokio::io::split(client);
        for stream in 0..STREAMS {
            writer.write_all(&get(2 * stream + 1, GET_LARGE)).await.unwrap();
        }
        let busy = async {
            for stream in (2 * STREAMS + 1..).step_by(2) {
                sleep(A_WHILE).await;
                if is_busy {
                    let opens = frame(WINDOW_UPDATE, 0, stream, &100_u32.to_be_bytes());
                    let small = [get(stream, GET_ROOT), opens].concat();
                    writer.write_all(&small).await.unwrap();
                }
            }
        };
        let resets = async {
            for _ in 0..STREAMS {
                next_of(&mut reader, RESET).await.expect("the connection goes on");
            }
        };
        tokio::select! {
            () = busy => unreachable!("there are streams enough"),
            () = resets => {}
        }
        writer
    };
    let (_silent, _busy, ()) = tokio::join!(client(false), client(true), check_serves(address));
    assert_eq!(Arc::strong_count(&held), idle);
    check_serves(address).await;
}

#[tokio::test]
async fn who_reads_nothing_is_cut_off() {
    let (_server, address, _held) = start_strict().await;
    let mut client = hello_with(address, &initial_window(1 << 30)).await;
    let opens = frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
    client.write_all(&[opens, get(1, GET_HUGE)].concat()).await.unwrap();
    // The answer has begun.
    next_of(&mut client, HEADERS).await.expect("the connection goes on");
    let cut_off = async {
        // Windows of a stream that may have ended.
        let more = frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes());
        while client.write_all(&more).await.is_ok() {
            sleep(A_WHILE).await;
        }
    };
    tokio::join!(within(cut_off, "the end"), check_serves(address));
}

/// Sends a body in pieces, with a while between them.
async fn post_slowly(address: SocketAddr, pieces: usize, piece: &'static str) -> (u16, usize) {
    let pieces = stream::iter(0..pieces).then(move |_| async move {
        sleep(A_WHILE).await;
        Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(piece.as_bytes())))
    });
    let request = Request::post("https://localhost/text").body(StreamBody::new(Box::pin(pieces)));
    let answer = ask(http_2(address).await, request.unwrap()).await.expect("the server answers");
    (answer.status, answer.body.len())
}

#[tokio::test]
async fn a_body_by_http_2_has_the_time_that_it_needs_and_no_more() {
    let (_server, address, _held) = start_strict().await;
    let fair = std::str::from_utf8(&[b'a'; 1_000]).unwrap();
    let (trickle, kept) =
        tokio::join!(post_slowly(address, 1_000, "a"), post_slowly(address, 30, fair));
    assert_eq!((trickle.0, kept), (408, (200, 30_000)));
}

#[tokio::test]
async fn heads_and_bodies_by_http_2_have_their_bounds() {
    let (_server, address, _held) = start_strict().await;
    let requests = http_2(address).await;
    let status = async |path: &str, header: (&str, &str), body: usize| {
        let request = Request::post(format!("https://localhost{path}")).header(header.0, header.1);
        let body = match body {
            0 => Empty::new().boxed(),
            bytes => Full::from(vec![b'a'; bytes]).boxed(),
        };
        ask(requests.clone(), request.body(body).unwrap()).await.expect("an answer").status
    };
    for (bytes, expected) in [(9_000, 200), (10_000, 431)] {
        assert_eq!(status("/text", ("a", &"a".repeat(bytes)), 1).await, expected);
    }
    for (bytes, expected) in [(30_000, 200), (30_001, 413)] {
        assert_eq!(status("/text", ("a", "b"), bytes).await, expected);
    }
    let parts = ("content-type", "multipart/form-data; boundary=XX");
    for (bytes, expected) in [(2_000, 400), (2_001, 413)] {
        assert_eq!(status("/parts", parts, bytes).await, expected);
    }
}

#[tokio::test]
async fn a_connection_by_http_2_counts_until_it_ends() {
    let server = start(crowded(pem(file("chain.pem"), file("key.pem")))).await;
    let address = server.address(Protocol::Https).unwrap();
    let mut first = http_2(address).await;
    assert_eq!(get_by_http_2(&mut first, "/").await.unwrap().0, 200);
    let mut second = Box::pin(http_2(address));
    // Meanwhile many requests of the first are answered.
    for _ in 0..50 {
        assert_eq!(get_by_http_2(&mut first, "/").await.unwrap().0, 200);
        assert!(futures_util::FutureExt::now_or_never(second.as_mut()).is_none());
    }
    drop(first);
    let mut second: SendRequest<String> = second.await;
    assert_eq!(get_by_http_2(&mut second, "/").await.unwrap().0, 200);
}
