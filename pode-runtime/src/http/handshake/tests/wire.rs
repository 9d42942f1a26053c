//! Sends any bytes to a server, over a connection in memory.
//!
//! [`check`] needs nothing but bytes, so that a fuzzer may call it, too. Time
//! is paused: it jumps ahead whenever both sides wait.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{one_signal, second_opinion};
use crate::app::context::context_of;
use crate::base::limits::Limits;
use crate::http::http1;
use crate::server::dispatch::{Dispatch, Served};

/// The only path of the server; a signal's.
pub(super) const PATH: &str = "/news";

const GOOD: &str = "GET /news HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The server's verdict on the first request among some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The connection is a WebSocket.
    Opened {
        /// The value of `Sec-WebSocket-Accept`.
        accept: String,
        /// The frames after the reply.
        said: Vec<u8>,
    },
    /// Refused by this server, with a sentence; without one for a HEAD request.
    Refused { status: u16, sentence: String },
    /// Refused by hyper, as it is no HTTP or too much of it.
    NoHttp { status: u16 },
    /// The connection ends at once, without a reply.
    Ends,
    /// The server waits for more bytes.
    Waits,
}

/// Panics if the server does, if the verdict depends on how the stream is cut,
/// if another opinion on the handshake differs, or if the server doesn't work
/// afterwards. Returns the verdict.
pub(super) fn check(stream: &[u8]) -> Verdict {
    in_paused_time(async {
        let server = Server::start();
        let whole = server.hear([stream]).await;
        second_opinion::compare(stream, &whole);

        let sum: usize = stream.iter().map(|byte| usize::from(*byte)).sum();
        let (first, second) = stream.split_at(sum % (stream.len() + 1));
        assert_alike(stream, &whole, &server.hear([first, second]).await);
        // So that even the longest arrives within the time that a head may
        // take.
        let size = 1 + stream.len() / 2000;
        assert_alike(stream, &whole, &server.hear(stream.chunks(size)).await);

        let Verdict::Opened { accept, .. } = server.hear([GOOD.as_bytes()]).await else {
            panic!("a good handshake is refused");
        };
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        whole
    })
}

/// Panics if the verdict depends on where the stream is cut in two.
pub(super) fn check_each_cut(stream: &[u8]) {
    in_paused_time(async {
        let server = Server::start();
        let whole = server.hear([stream]).await;
        for cut in 1..stream.len() {
            let (first, second) = stream.split_at(cut);
            assert_alike(stream, &whole, &server.hear([first, second]).await);
        }
    });
}

fn head_timeout() -> Duration {
    Limits::default().head_timeout
}

fn in_paused_time<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("the system has descriptors left").block_on(test)
}

#[track_caller]
fn assert_alike(stream: &[u8], whole: &Verdict, cut: &Verdict) {
    match (whole, cut) {
        // For a head in pieces, hyper reads only the first before it has the
        // end.
        (Verdict::NoHttp { .. }, Verdict::Waits) if !has_end(stream) => {}
        // The preface of HTTP/2 isn't answered if it can be recognized.
        (Verdict::Ends, Verdict::NoHttp { status: 400 }) => {}
        _ => assert_eq!(whole, cut),
    }
}

/// Returns whether a head has its empty line. Empty lines before it don't
/// count.
fn has_end(stream: &[u8]) -> bool {
    let starts = stream.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let head = &stream[starts.unwrap_or(stream.len())..];
    head.windows(2).any(|two| two == b"\n\n") || head.windows(3).any(|three| three == b"\n\r\n")
}

/// A server with one signal, from the view of one of its connections.
struct Server {
    dispatch: Arc<Dispatch>,
    /// Never set, but needed to go on.
    stopping: watch::Sender<Option<Instant>>,
}

impl Server {
    fn start() -> Server {
        let (signals, engine, entrance) = one_signal(PATH);
        let served = Served { signals: vec![entrance], ..Served::default() };
        let dispatch = Arc::new(Dispatch::new(served, context_of(signals), engine, None));
        Server { dispatch, stopping: watch::Sender::new(None) }
    }

    /// Writes these pieces to a new connection, each when the previous one was
    /// read, and reads the reply.
    async fn hear(&self, pieces: impl IntoIterator<Item = &[u8]>) -> Verdict {
        // As large as everything that is sent, so that no write waits for
        // capacity.
        let (mut peer, stream) = duplex(1 << 20);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let dispatch = Arc::clone(&self.dispatch);
        let service = move |request| {
            let dispatch = Arc::clone(&dispatch);
            async move { dispatch.answer(request, Some(address), None).await }
        };
        let stopping = self.stopping.subscribe();
        let serving = tokio::spawn(async move {
            http1::serve(stream, None, &Limits::default(), service, stopping).await
        });

        let connected = Instant::now();
        for piece in pieces {
            // A server that has refused needn't read on.
            let _ = peer.write_all(piece).await;
            sleep(Duration::from_millis(1)).await;
        }
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n\r\n") {
            match timeout(2 * head_timeout(), peer.read_u8()).await {
                Ok(Ok(byte)) => reply.push(byte),
                _ => break,
            }
        }
        let waited = connected.elapsed();
        if reply.starts_with(b"HTTP/1.1 101 ") {
            // The client has read everything, and closes.
            peer.shutdown().await.expect("a connection in memory can be closed");
        }
        let _ = timeout(2 * head_timeout(), peer.read_to_end(&mut reply)).await;
        drop(peer);
        // The client may cause an error of the connection, but not a panic.
        let _ = serving.await.expect("no connection panics");
        verdict(&reply, waited)
    }
}

/// Parses the reply, whose first part took `waited`.
fn verdict(reply: &[u8], waited: Duration) -> Verdict {
    if reply.is_empty() {
        return if waited < head_timeout() { Verdict::Ends } else { Verdict::Waits };
    }
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n").expect("a reply has a head");
    let (head, rest) = (reply[..end].escape_ascii().to_string(), &reply[end + 4..]);
    let lines: Vec<&str> = head.split("\\r\\n").collect();
    let value = |name: &str| {
        let mut values =
            lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let value = values.next();
        assert_eq!(values.next(), None, "{name} stands there twice");
        value
    };
    let status = lines[0][9..12].parse().expect("a reply has a status");
    assert!(status < 500, "{head}");
    if status == 101 {
        // For a client that will close, hyper says so, too.
        assert!(matches!(value("connection"), Some("Upgrade" | "Upgrade, close")), "{head}");
        assert_eq!(value("upgrade"), Some("websocket"));
        let accept = value("sec-websocket-accept").expect("the key is answered").to_owned();
        return Verdict::Opened { accept, said: rest.to_vec() };
    }
    let length = value("content-length").expect("a reply has its length").parse::<usize>();
    let length = length.expect("it is a number");
    if value("content-type").is_none() {
        assert_eq!(length, 0, "{head}");
        return Verdict::NoHttp { status };
    }
    // The answer to HEAD has only the length. Replies to later requests may
    // follow.
    let length = if rest.starts_with(b"HTTP/1.") { 0 } else { length.min(rest.len()) };
    let sentence = String::from_utf8(rest[..length].to_vec()).expect("sentences are texts");
    Verdict::Refused { status, sentence: sentence.trim_end().to_owned() }
}
