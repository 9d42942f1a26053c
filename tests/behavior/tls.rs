//! What clients of `https` and `wss` endpoints see. `certificates/make.sh`
//! makes the certificates.

pub(crate) mod authority;
mod certificate;
mod client;
mod frames;
mod limits;
mod renewal;
mod several;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, Version};
use pode::certificate::{password_from_env, password_from_file, pem, pfx, self_signed};
use pode::prelude::*;
use pode::{Certificate, Protocol, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme, SupportedProtocolVersion,
};

use crate::support::{
    Client, FOLDER, connect, file, http_2, http_2_over, raw, raw_over, start, trusting,
    trusting_root, within,
};

const PASSWORD: &str = "correct horse";

pode_server! {
    server secured(certificate: Certificate, gate: Arc<Barrier>);
    endpoint https "127.0.0.1:0" { certificate: certificate };
    endpoint wss   "127.0.0.1:0";
    signal NEWS: String = "/news";
    state BARRIER: Arc<Barrier> = gate;
    route GET "/" => async |_| text("page");
    route GET "/slow" => async |event| {
        let gate = event.state(BARRIER);
        // All requests wait until the others are in flight, then end.
        gate.wait().await;
        gate.wait().await;
        text("done")
    };
}

fn secured_by(certificate: Certificate) -> Server {
    secured(certificate, Arc::new(Barrier::new(2)))
}

async fn start_secured() -> (RunningServer, SocketAddr) {
    let server = start(secured_by(pem(file("chain.pem"), file("key.pem")))).await;
    let address = server.address(Protocol::Https).unwrap();
    (server, address)
}

pub(crate) async fn secure_stream(address: SocketAddr) -> TlsStream<TcpStream> {
    connect(trusting_root(), address, "localhost").await.expect("the certificate is trusted")
}

const GET_PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_page_comes_by_both_versions_of_tls() {
    let (_server, address) = start_secured().await;
    let root = CertificateDer::from_pem_file(file("root.pem")).unwrap();
    for version in [&TLS12, &TLS13] {
        let config = trusting(root.clone(), &[version]);
        let stream = connect(config, address, "localhost").await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(stream.get_ref().1.alpn_protocol(), None, "none was asked for");
        let answer = raw_over(stream, GET_PAGE).await;
        assert_eq!((answer.status, answer.text()), (200, "page"));
    }
}

pode_server! {
    server every_kind;
    endpoint modern wss 0 {
        certificate: pfx(
            "behavior/certificates/modern.pfx",
            password_from_file("behavior/certificates/password.txt"),
        ),
    };
    endpoint legacy wss 0 {
        certificate: pfx(
            "behavior/certificates/legacy.pfx",
            password_from_file("behavior/certificates/password.txt"),
        ),
    };
    endpoint two_files wss 0 {
        certificate: pem(
            "behavior/certificates/chain.pem",
            "behavior/certificates/key.pem",
        ),
    };
    endpoint only_here wss 0 {
        certificate: pem(
            concat!("behavior/certificates/", "chain.pem"),
            "behavior/certificates/key.pem",
        )
        .at_run_time(),
    };
    signal KINDS: String = "/";
}

pub(crate) async fn get_by_http_2(
    requests: &mut SendRequest<String>,
    path: &str,
) -> hyper::Result<(u16, String)> {
    let request = Request::get(format!("https://localhost{path}")).body(String::new()).unwrap();
    let exchange = async {
        requests.ready().await?;
        let response = requests.send_request(request).await?;
        assert_eq!(response.version(), Version::HTTP_2);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec()).unwrap()))
    };
    within(exchange, "an answer").await
}

#[tokio::test]
async fn alpn_chooses_the_version_of_http() {
    let (_server, address) = start_secured().await;
    let mut requests = http_2(address).await;
    assert_eq!(get_by_http_2(&mut requests, "/").await.unwrap(), (200, "page".to_owned()));
    assert_eq!(get_by_http_2(&mut requests, "/nothing").await.unwrap().0, 404);
    assert_eq!(get_by_http_2(&mut requests, "/news").await.unwrap().0, 426);

    // One connection carries several requests at once.
    let mut other = requests.clone();
    let (one, other) =
        tokio::join!(get_by_http_2(&mut requests, "/slow"), get_by_http_2(&mut other, "/slow"));
    assert_eq!((one.unwrap().1, other.unwrap().1), ("done".to_owned(), "done".to_owned()));

    let mut config = trusting_root();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = connect(config, address, "localhost").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(raw_over(stream, GET_PAGE).await.text(), "page");
}

#[tokio::test]
async fn signals_alone_are_offered_by_http_1() {
    let server = start(every_kind()).await;
    let mut config = trusting_root();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let address = server.address(Protocol::Wss).unwrap();
    let stream = connect(config, address, "localhost").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    Client::over(stream, "wss://localhost/").await;
}

#[tokio::test]
async fn https_and_wss_share_an_address_and_a_certificate() {
    let (server, address) = start_secured().await;
    assert_eq!(server.address(Protocol::Wss), Some(address));
    let mut client = Client::over(secure_stream(address).await, "wss://localhost/news").await;
    assert_eq!(raw_over(secure_stream(address).await, GET_PAGE).await.text(), "page");
    server.signals().send(NEWS, &"hi".to_owned()).await.unwrap();
    assert_eq!(client.text().await, "\"hi\"");
}

/// The end of the handshake and the request wait in the socket when the server
/// is told to stop.
#[tokio::test]
async fn a_handshake_that_has_begun_ends_although_the_server_stops() {
    let (server, address) = start_secured().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let config = Arc::new(trusting_root());
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(config, name).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut hello = Vec::new();
        session.write_tls(&mut hello).unwrap();
        stream.write_all(&hello).await.unwrap();
        while session.is_handshaking() {
            let mut piece = vec![0; 16 << 10];
            let read = within(stream.read(&mut piece), "the server's hello").await.unwrap();
            assert!(read > 0);
            session.read_tls(&mut &piece[..read]).unwrap();
            session.process_new_packets().unwrap();
        }
        clients.push((session, stream));
    }
    for (session, stream) in &mut clients {
        session.writer().write_all(GET_PAGE).unwrap();
        let mut rest = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut rest).unwrap();
        }
        assert_eq!(stream.try_write(&rest).unwrap(), rest.len());
    }
    let hearing = async {
        for (session, stream) in &mut clients {
            let (mut bytes, mut heard) = (Vec::new(), Vec::new());
            within(stream.read_to_end(&mut bytes), "the end").await.unwrap();
            let mut bytes = &bytes[..];
            while !bytes.is_empty() {
                session.read_tls(&mut bytes).unwrap();
                session.process_new_packets().unwrap();
            }
            session.reader().read_to_end(&mut heard).unwrap();
            assert!(heard.starts_with(b"HTTP/1.1 200 "), "{heard:?}");
        }
    };
    tokio::join!(server.stop(), hearing);
}

#[tokio::test]
async fn stalled_handshakes_hold_up_nobody() {
    let (server, address) = start_secured().await;
    let mut stalled = Vec::new();
    for number in 0..1_000 {
        let mut stream = within(TcpStream::connect(address), "a connection").await.unwrap();
        if number % 2 == 0 {
            // A record that announces more bytes.
            stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
        }
        stalled.push(stream);
    }
    assert_eq!(raw_over(secure_stream(address).await, GET_PAGE).await.text(), "page");
    // Stopping doesn't wait for them, either.
    within(server.stop(), "the stop").await;
    for mut stream in stalled {
        assert_eq!(within(stream.read(&mut [0]), "the end").await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn what_is_no_tls_ends_its_own_connection() {
    let (_server, address) = start_secured().await;
    let mut client = Client::over(secure_stream(address).await, "wss://localhost/news").await;
    for garbage in [&b"\0\0\0\0"[..], b"\x16\x03\x01\0\x05hello", b"hello\n", &[0xff; 4096]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        // The end may be a reset; what matters is that it comes.
        let _ = within(stream.read_to_end(&mut answer), "the end").await;
        assert!(!answer.starts_with(b"HTTP"), "{garbage:?}");
    }
    // A client that disconnects midway does no harm, either.
    drop(TcpStream::connect(address).await.unwrap());

    let plain = raw(address, GET_PAGE).await;
    assert_eq!(plain.status, 400);
    assert_eq!(plain.text(), "this port speaks TLS: write https:// or wss://");

    let pong = tokio_tungstenite::tungstenite::Message::Text("still here".into());
    client.send(pong).await;
    assert_eq!(client.close_code().await, 1003);
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_tells_clients() {
    // For two requests and the test.
    let gate = Arc::new(Barrier::new(3));
    let certificate = pem(file("chain.pem"), file("key.pem"));
    let server = start(secured(certificate, Arc::clone(&gate))).await;
    let address = server.address(Protocol::Https).unwrap();
    let signals = server.signals().clone();
    let mut client = Client::over(secure_stream(address).await, "wss://localhost/news").await;

    let mut requests = http_2(address).await;
    let mut one = requests.clone();
    let one = tokio::spawn(async move { get_by_http_2(&mut one, "/slow").await });
    let stream = secure_stream(address).await;
    let request = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let other = tokio::spawn(raw_over(stream, request));
    gate.wait().await;

    let idle = http_2(address).await;
    let stopped = tokio::spawn(server.stop());
    within(idle_ends(idle), "the end of the idle connection").await;
    signals.send(NEWS, &"last".to_owned()).await.unwrap();
    gate.wait().await;
    assert_eq!(one.await.unwrap().unwrap().1, "done");
    assert_eq!(other.await.unwrap().text(), "done");
    assert_eq!(client.text().await, "\"last\"");
    assert_eq!(client.close_code().await, 1001);
    within(stopped, "the stop").await.unwrap();
    get_by_http_2(&mut requests, "/").await.expect_err("the connection has ended");
    TcpStream::connect(address).await.expect_err("the port is closed");
}

/// Waits until the server has ended a connection.
pub(crate) async fn idle_ends(requests: SendRequest<String>) {
    while !requests.is_closed() {
        tokio::task::yield_now().await;
    }
}
