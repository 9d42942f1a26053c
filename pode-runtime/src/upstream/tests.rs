//! Connections without sockets, so that time can be paused; and what is logged.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::connection::{End, serve};
use super::handshake::Socket;
use super::{DeclaredUpstream, UpstreamTasks};
use crate::base::log::Collected;
use crate::base::outcome::Outcome;
use crate::net::upgraded::AnyStream;
use crate::upstream::UpstreamOptions;

const HEARTBEAT: Duration = Duration::from_secs(25);
const MINUTE: Duration = Duration::from_secs(60);

fn upstream<Done>(
    url: &str,
    handler: impl Fn(String) -> Done + Send + Sync + 'static,
) -> DeclaredUpstream<()>
where
    Done: Future<Output: Outcome> + Send + 'static,
{
    let options = UpstreamOptions {
        heartbeat: HEARTBEAT,
        reconnect_delay: Duration::from_millis(1),
        max_reconnect_delay: Duration::from_millis(1),
        ..UpstreamOptions::default()
    };
    let handler = move |(): &(), text| handler(text);
    DeclaredUpstream::new("TEST", url.to_owned(), options, HEARTBEAT, handler)
}

/// Returns both ends of a connection that holds `bytes` bytes.
async fn connection(bytes: usize) -> (Socket, WebSocketStream<DuplexStream>) {
    let (near, far) = duplex(bytes);
    let near: Box<dyn AnyStream> = Box::new(near);
    tokio::join!(
        WebSocketStream::from_raw_socket(near, Role::Client, None),
        WebSocketStream::from_raw_socket(far, Role::Server, None),
    )
}

/// Serves a connection for `time`; returns the end, if it comes by then.
async fn served(upstream: &DeclaredUpstream<()>, socket: Socket, time: Duration) -> Option<End> {
    let (_stop, mut stopping) = watch::channel(None);
    timeout(time, serve(upstream, socket, &(), &mut stopping)).await.ok()
}

#[tokio::test(start_paused = true)]
async fn who_answers_stays_and_who_is_silent_is_left() {
    let upstream = upstream("", async |_| ());
    let (socket, mut other) = connection(1024).await;
    // Reading answers pings.
    let reading = async {
        let mut pings = 0;
        while let Some(Ok(message)) = other.next().await {
            pings += usize::from(message.is_ping());
        }
        pings
    };
    let (end, pings) = tokio::join!(served(&upstream, socket, 10 * MINUTE), reading);
    assert!(end.is_none(), "{end:?}");
    assert_eq!(pings, 10 * 60 / 25);

    let (socket, _silent) = connection(1024).await;
    let started = Instant::now();
    let end = served(&upstream, socket, 10 * MINUTE).await;
    assert!(matches!(end, Some(End::Silent(_))), "{end:?}");
    assert_eq!(started.elapsed(), 2 * HEARTBEAT);
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_left() {
    let upstream = upstream("", async |_| ());
    // The other server sends all the time, but has no capacity for a ping.
    let (socket, other) = connection(1).await;
    let (mut sending, _unread) = other.split();
    let talk = async {
        while sending.send(Message::text("\"hi\"")).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let end = tokio::select! {
        end = served(&upstream, socket, 10 * MINUTE) => end,
        () = talk => None,
    };
    assert!(matches!(end, Some(End::Silent(_))), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_waited_for_while_nothing_is_read() {
    let upstream = upstream("", async |_| tokio::time::sleep(10 * MINUTE).await);
    let (socket, mut other) = connection(1024).await;
    let sending = async {
        let text = format!("{:?}", "a".repeat(1000));
        let mut sent = 0;
        while timeout(5 * MINUTE, other.send(Message::text(text.clone()))).await.is_ok() {
            sent += 1;
        }
        sent
    };
    let (end, sent) = tokio::join!(served(&upstream, socket, 9 * MINUTE), sending);
    assert!(end.is_none(), "{end:?}");
    // Messages in transit, and those read at once.
    assert!(sent <= 20, "{sent}");
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_by_a_close_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = upstream("", async |_| ());
    for (frame, code) in [
        // A reserved bit, an opcode, a masked frame, and a continuation of nothing.
        (&b"\xC1\x00"[..], 1002),
        (b"\x83\x00", 1002),
        (b"\x81\x80abcd", 1002),
        (b"\x80\x00", 1002),
        // A ping in fragments, and close frames of half a code and with no text.
        (b"\x09\x00", 1002),
        (b"\x88\x01\x03", 1002),
        (b"\x88\x03\x03\xE8\xFF", 1007),
        // Text that isn't UTF-8, at once or in fragments.
        (b"\x81\x01\xFF", 1007),
        (b"\x01\x01\xC3\x80\x01\xC3", 1007),
        // A message that is announced longer than allowed.
        (b"\x81\x7F\x00\x00\x00\x01\x00\x00\x00\x00", 1009),
    ] {
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let near: Box<dyn AnyStream> = Box::new(near);
        let socket = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let (mut far, _) = listener.accept().await.unwrap();
        let other = async {
            // What follows is read, so that nothing overtakes the close frame.
            far.write_all(&[frame, &[0; 1 << 20]].concat()).await.unwrap();
            let mut other = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
            let message = other.next().await.unwrap().unwrap();
            let Message::Close(Some(close)) = message else { panic!("{message:?}") };
            u16::from(close.code)
        };
        let (end, told) = tokio::join!(served(&upstream, socket, MINUTE), other);
        assert_eq!(told, code, "{frame:?}: {end:?}");
    }
}

/// The only test here that makes the log say this: if another thread logged it
/// first, this log would never get it.
#[tokio::test]
async fn what_goes_wrong_is_told_to_the_log() {
    let (log, _collected) = Collected::begin();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/prices?secret", listener.local_addr().unwrap());
    let upstream = upstream(&url, async |text: String| match &*text {
        "panic" => panic!("as the test wants it"),
        "fail" => Err("no\n"),
        _ => Ok(()),
    });
    let destinations = vec![upstream.destination(None).unwrap()];
    let upstreams = UpstreamTasks::start(vec![upstream], destinations, ());

    let (mut refused, _) = listener.accept().await.unwrap();
    refused.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut other = tokio_tungstenite::accept_async(stream).await.unwrap();
    let odd = format!("{{\n{}", "a".repeat(10_000));
    for text in ["\"panic\"", "\"fail\"", &odd] {
        other.send(Message::text(text)).await.unwrap();
    }
    other.send(Message::binary(vec![0xFF])).await.unwrap();
    other.close(None).await.unwrap();
    drop(other);
    // When it reconnects, it has logged all of this.
    listener.accept().await.unwrap();
    drop(upstreams);

    let log = log.text();
    let expected = [
        "WARN upstream `TEST` at ws://ADDRESS/prices: the handshake was answered with 403 Forbidden; next try in",
        "INFO upstream `TEST` is connected to ws://ADDRESS/prices",
        "ERROR upstream `TEST`: the handler panicked: as the test wants it",
        "ERROR upstream `TEST`: no\\n",
        "WARN upstream `TEST`: a message is skipped: invalid type: map, expected a string at line 1 column 0; it begins with \"{\\naaa",
        "WARN upstream `TEST`: a message is skipped: it is binary, and no text in UTF-8; it begins with \"\"",
        "WARN upstream `TEST` at ws://ADDRESS/prices: the connection was closed; next try in",
    ];
    let address = listener.local_addr().unwrap().to_string();
    let lines: Vec<String> =
        log.lines().map(|line| line.trim_start().replace(&address, "ADDRESS")).collect();
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
        assert!(line.len() < 500, "{line}");
    }
}

/// The most usual reason why an own server isn't trusted has its remedy beside it.
#[cfg(feature = "tls")]
#[tokio::test]
async fn a_root_that_is_missing_is_told_with_the_option_that_adds_it() {
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut other = rcgen::CertificateParams::new(Vec::new()).unwrap();
    other.distinguished_name.push(rcgen::DnType::CommonName, "another authority");
    let other = other.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let file = std::env::temp_dir().join(format!("pode-root-{}.pem", std::process::id()));
    std::fs::write(&file, pem(other.der())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let options = UpstreamOptions {
        roots: crate::net::roots::Roots::RootsOf(file.clone()),
        ..UpstreamOptions::default()
    };
    let handler = |(): &(), _: String| async {};
    let upstream = DeclaredUpstream::new("TEST", url, options, HEARTBEAT, handler);
    let destination = upstream.destination(None).unwrap();
    std::fs::remove_file(file).unwrap();

    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(server.signing_key.serialize_der());
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let accepting = async { acceptor.accept(listener.accept().await.unwrap().0).await };
    let (refused, _) = tokio::join!(destination.connect(), accepting);
    let told = crate::base::error::with_causes(&refused.err().unwrap());
    assert_eq!(
        told,
        "no root that is trusted here has issued the certificate of `localhost`; the option \
         `roots` can name another, as in `roots: roots_of(\"authority.pem\")`: invalid peer \
         certificate: UnknownIssuer"
    );
}

#[cfg(feature = "tls")]
fn pem(certificate: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
