//! Behind proxies: who the client is, and what counts for it.

#[cfg(target_os = "linux")]
mod programs;

use std::net::SocketAddr;
use std::sync::Arc;

use pode::prelude::*;
use pode::{Protocol, Server, TrustedProxies, forwarded_by};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::support::{
    Client, by_each_version, certificate, handshake, raw_over, request, request_at, start,
    trusting_root, within,
};

pode_server! {
    server shop(proxies: TrustedProxies) { limits: Limits { max_connections_per_address: 1 } };
    endpoint http "127.0.0.1:0" { trusted_proxies: proxies.clone() };
    endpoint https "127.0.0.1:0" { certificate: certificate(), trusted_proxies: proxies };
    endpoint ws "127.0.0.1:0";
    signal NEWS: String = "/news" { max_clients_per_address: 1 };
    on connect NEWS => async |event: ConnectEvent<String>| {
        event.greet(&address(event.peer_address()))
    };
    route GET, POST "/" => async |event: WebEvent| text(address(event.peer_address()));
}

const PROXIES: [&str; 2] = ["127.0.0.1", "10.0.0.0/8"];

/// A server behind proxies that send `X-Forwarded-For` and its like.
fn by_x_forwarded() -> Server {
    shop(PROXIES.into())
}

/// A server behind proxies that send `Forwarded`.
fn by_forwarded() -> Server {
    shop(forwarded_by(PROXIES))
}

fn address(client: Option<SocketAddr>) -> String {
    client.map(|client| client.to_string()).unwrap_or_default()
}

/// Connects from an address that isn't trusted. Other systems have only one
/// loopback address.
#[cfg(target_os = "linux")]
async fn from_elsewhere(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    within(socket.connect(address), "a connection").await.unwrap()
}

#[tokio::test]
async fn requests_are_those_of_the_client_that_a_trusted_proxy_names() {
    for (server, name, lists) in [
        (
            by_x_forwarded as fn() -> Server,
            "X-Forwarded-For",
            ["1.2.3.4", "9.9.9.9, [::2]:567, 10.0.0.2"],
        ),
        (
            by_forwarded,
            "Forwarded",
            ["for=1.2.3.4", "for=9.9.9.9, for=\"[::2]:567\", for=10.0.0.2"],
        ),
    ] {
        let other = if name == "Forwarded" { "X-Forwarded-For" } else { "Forwarded" };
        for server in by_each_version(server).await {
            for (list, expected) in lists.iter().zip(["1.2.3.4:0", "[::2]:567"]) {
                let headers = [(name, *list), (other, "for=8.8.8.8")];
                let answer = request(&server, "GET", "/", &headers, b"").await;
                assert_eq!(answer.text(), expected, "{list}");
            }
        }
    }
}

#[tokio::test]
async fn clients_count_for_the_address_that_a_trusted_proxy_names() {
    let server = start(by_x_forwarded()).await;
    let ws = server.address(Protocol::Ws).unwrap();
    let connect = async |told: &str| {
        let client = Client::handshake(ws, "/news", &[("X-Forwarded-For", told)]).await;
        client.map(|(client, _)| client)
    };
    let mut one = connect("9.9.9.9, 1.2.3.4:567").await.unwrap();
    assert_eq!(one.text().await, "\"1.2.3.4:567\"");
    let mut other = connect("1.2.3.5").await.unwrap();
    assert_eq!(other.text().await, "\"1.2.3.5:0\"");
    assert_eq!(connect("1.2.3.4").await.err().unwrap().0, 429);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn headers_of_others_than_trusted_proxies_mean_nothing() {
    let server = start(by_x_forwarded()).await;
    let http = server.address(Protocol::Http).unwrap();
    let stream = from_elsewhere(http).await;
    let own = stream.local_addr().unwrap().to_string();
    let head = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 1.2.3.4\r\n\
                Forwarded: for=1.2.3.4\r\nConnection: close\r\n\r\n";
    assert_eq!(raw_over(stream, head.as_bytes()).await.text(), own);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_of_a_trusted_proxy_are_not_those_of_one_client() {
    let server = start(by_x_forwarded()).await;
    let http = server.address(Protocol::Http).unwrap();
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(within(TcpStream::connect(http), "a connection").await.unwrap());
    }
    // Connections are accepted in order.
    assert_eq!(request_at(http, "GET", "/", &[], b"").await.status, 200);
    open.push(from_elsewhere(http).await);
    assert_eq!(raw_over(from_elsewhere(http).await, b"").await.status, 503);
}

#[tokio::test]
async fn own_pages_are_those_of_the_proxy_and_hosts_are_not() {
    for (server, told, other_host) in [
        (
            by_x_forwarded(),
            "X-Forwarded-Host: shop.example\r\nX-Forwarded-Proto: https",
            "X-Forwarded-Host: localhost",
        ),
        (by_forwarded(), "Forwarded: host=shop.example;proto=https", "Forwarded: host=localhost"),
    ] {
        let server = start(server).await;
        let address = server.address(Protocol::Http).unwrap();
        for (origin, status, handshaken) in [
            ("https://shop.example", 200, 101),
            ("http://shop.example", 403, 403),
            ("https://evil.example", 403, 403),
            ("http://localhost", 403, 403),
        ] {
            let told = format!("\r\nOrigin: {origin}\r\n{told}\r\n\r\n");
            let form = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
            for (head, expected) in [(form, status), (&handshake("/news"), handshaken)] {
                let head = head.replace("\r\n\r\n", &told);
                assert_eq!(status_of(address, &head).await, expected, "{head}");
            }
        }
        for path in ["/", "/news"] {
            let head = handshake(path).replace("Host: localhost", "Host: evil.example");
            let head = head.replace("\r\n\r\n", &format!("\r\n{other_host}\r\n\r\n"));
            assert_eq!(status_of(address, &head).await, 421, "{head}");
        }
    }
}

/// Sends a request, and returns the status of its answer.
async fn status_of(address: SocketAddr, head: &str) -> u16 {
    let mut stream = within(TcpStream::connect(address), "a connection").await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut line = [0; 12];
    within(stream.read_exact(&mut line), "an answer").await.unwrap();
    std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
}

pode_server! {
    server named(one: Vec<String>, other: Vec<String>, port: u16);
    endpoint http port { trusted_proxies: one };
    endpoint ws port { trusted_proxies: other };
    route GET "/" => async |_| text("here");
    signal OTHER: String = "/other";
}

#[tokio::test]
async fn proxies_that_cannot_be_trusted_as_declared_are_told_at_the_start() {
    let told = async |one: &[&str], other: &[&str]| {
        let owned = |named: &[&str]| named.iter().map(|one| (*one).to_owned()).collect();
        let started = named(owned(one), owned(other), 0).start().await;
        started.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(told(&["127.0.0.1"], &[]).await, Ok(()));
    assert_eq!(told(&["::1"], &["::1"]).await, Ok(()));
    let differ = "endpoint `ws` shares an address, but not its `trusted_proxies`";
    assert_eq!(told(&["127.0.0.1"], &["::1"]).await, Err(differ.to_owned()));
    let invalid = "the http endpoint can't trust its proxies: `localhost` is neither an address \
                   nor a network; write it as `127.0.0.1`, `10.0.0.0/8`, `::1` or `fd00::/8`";
    assert_eq!(told(&["localhost"], &[]).await, Err(invalid.to_owned()));
}

pode_server! {
    server opened(networks: Vec<String>) {
        limits: Limits { max_connections_per_address: 1, head_timeout: 1h, tls_timeout: 1h },
    };
    endpoint http "127.0.0.1:0" { trusted_proxies: networks.clone(), proxy_protocol: true };
    endpoint ws "127.0.0.1:0";
    endpoint https "127.0.0.1:0" {
        certificate: certificate(),
        trusted_proxies: networks,
        proxy_protocol: true,
    };
    signal SHOWN: String = "/shown";
    on connect SHOWN => async |event: ConnectEvent<String>| {
        event.greet(&address(event.peer_address()))
    };
    route GET "/" => async |event: WebEvent| text(address(event.peer_address()));
}

const HEAD: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

async fn connect(address: SocketAddr) -> TcpStream {
    within(TcpStream::connect(address), "a connection").await.unwrap()
}

/// A header of version 1.
fn line(client: &str) -> String {
    format!("PROXY TCP4 {client} 127.0.0.1 567 80\r\n")
}

/// A header of version 2.
fn block(command: u8, following: &[u8]) -> Vec<u8> {
    let length = u8::try_from(following.len()).unwrap();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, 0x11, 0, length][..], following].concat()
}

#[tokio::test]
async fn a_connection_is_the_clients_that_a_proxy_header_names() {
    let server = start(opened(vec!["127.0.0.1".to_owned()])).await;
    let http = server.address(Protocol::Http).unwrap();
    // Each client has an address of its own, since it counts until its end.
    let by_version_2 = block(0x21, b"\x01\x02\x03\x01\x7f\0\0\x01\x02\x37\0\x50\x04\0\x01x");
    for (header, client) in [
        (line("1.2.3.0").into_bytes(), Some("1.2.3.0:567")),
        (by_version_2, Some("1.2.3.1:567")),
        (b"PROXY TCP6 2001:db8::1 ::1 567 80\r\n".to_vec(), Some("[2001:db8::1]:567")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (block(0x20, b""), None),
    ] {
        let stream = connect(http).await;
        let own = stream.local_addr().unwrap().to_string();
        let answer = raw_over(stream, &[&header, HEAD.as_bytes()].concat()).await;
        assert_eq!(answer.text(), client.unwrap_or(&own), "{}", header.escape_ascii());
    }
    // The client isn't trusted, whatever it says.
    let head = HEAD.replace("\r\n\r\n", "\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n");
    let answer = raw_over(connect(http).await, (line("1.2.3.2") + &head).as_bytes()).await;
    assert_eq!(answer.text(), "1.2.3.2:567");

    let mut stream = connect(server.address(Protocol::Https).unwrap()).await;
    stream.write_all(line("1.2.3.3").as_bytes()).await.unwrap();
    let tls = TlsConnector::from(Arc::new(trusting_root()));
    let stream = within(tls.connect("localhost".try_into().unwrap(), stream), "a handshake").await;
    assert_eq!(raw_over(stream.unwrap(), HEAD.as_bytes()).await.text(), "1.2.3.3:567");

    let mut stream = connect(server.address(Protocol::Ws).unwrap()).await;
    stream.write_all(line("1.2.3.4").as_bytes()).await.unwrap();
    let mut client = Client::over(stream, "ws://localhost/shown").await;
    assert_eq!(client.text().await, "\"1.2.3.4:567\"");
    let refused = raw_over(connect(http).await, line("1.2.3.4").as_bytes()).await;
    assert_eq!(refused.status, 503);
    let other = raw_over(connect(http).await, (line("1.2.3.5") + HEAD).as_bytes()).await;
    assert_eq!(other.text(), "1.2.3.5:567");
}

#[tokio::test]
async fn connections_without_a_proxy_header_are_closed() {
    let server = start(opened(vec!["127.0.0.1".to_owned()])).await;
    for protocol in [Protocol::Http, Protocol::Https] {
        let address = server.address(protocol).unwrap();
        for beginning in [
            HEAD.to_owned(),
            "PROXY TCP4 1.2.3.4 127.0.0.1 567\r\n".to_owned(),
            format!("PROXY UNKNOWN {}", "x".repeat(200)),
            "\u{16}\u{3}\u{1}".to_owned(),
        ] {
            let mut stream = connect(address).await;
            stream.write_all(beginning.as_bytes()).await.unwrap();
            let end = within(stream.read(&mut [0]), "the end").await;
            assert_eq!(end.unwrap_or(0), 0, "{beginning:?}");
        }
        // Who isn't trusted is told nothing either.
        #[cfg(target_os = "linux")]
        {
            let mut stream = from_elsewhere(address).await;
            let _ = stream.write_all(b"PROXY UNKNOWN\r\n").await;
            let end = within(stream.read(&mut [0]), "the end").await;
            assert_eq!(end.unwrap_or(0), 0);
        }
    }
    // A header that doesn't end holds up nobody, nor a stop.
    let mut silent = connect(server.address(Protocol::Http).unwrap()).await;
    silent.write_all(b"PROXY TCP4 1.2").await.unwrap();
    server.stop().await;
    assert_eq!(within(silent.read(&mut [0]), "the end").await.unwrap_or(0), 0);
}

#[tokio::test]
async fn nobody_speaks_for_clients_unless_trusted() {
    let error = opened(Vec::new()).start().await.err().unwrap();
    let told = "endpoint `http` has `proxy_protocol`, but no `trusted_proxies` to speak it";
    assert_eq!(error.to_string(), told);
}
