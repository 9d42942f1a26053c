//! nginx and HAProxy in front of a server, by the configurations of
//! `docs/behind-a-proxy.md` as they stand there.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{address, from_elsewhere};
use crate::support::{
    Client, FOLDER, Folder, Process, certificate, file, installed, raw_over, start, trusting_root,
    within,
};

const PAGE: &str = include_str!("../../../docs/behind-a-proxy.md");

/// The read time-out of the proxies, instead of that on the page; and a time that
/// is longer.
const READ_TIMEOUT: &str = "5s";
const LONGER: Duration = Duration::from_secs(7);

pode_server! {
    server shop;
    endpoint http "127.0.0.1:0" { hosts: ["shop.example"], trusted_proxies: ["127.0.0.1"] };
    endpoint ws "127.0.0.1:0";
    endpoint https "127.0.0.1:0" {
        certificate: certificate(),
        hosts: ["shop.example"],
        trusted_proxies: ["127.0.0.1"],
        proxy_protocol: true,
    };
    endpoint wss "127.0.0.1:0";
    signal PATIENT: String -> String = "/patient" { heartbeat: 1s } => answer_later;
    signal MUTE: String -> String = "/mute" { heartbeat: Duration::ZERO } => answer_later;
    route GET, POST "/" => async |event: WebEvent| text(address(event.peer_address()));
}

async fn answer_later(
    event: SignalEvent<String>,
    _: String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    tokio::time::sleep(LONGER).await;
    Ok(event.reply(&address(event.client().peer_address())).await?)
}

/// Returns a block of the page, by its language and its number.
fn block(language: &str, number: usize) -> String {
    let begin = format!("\n```{language}\n");
    let block = PAGE.split(&begin).nth(number + 1).expect("a block of the page");
    block.split_inclusive("```").next().unwrap().strip_suffix("```").unwrap().to_owned()
}

/// Replaces what stands there once or more often.
fn replaced(mut block: String, replacements: &[(&str, &str)]) -> String {
    for (old, new) in replacements {
        assert!(block.contains(old), "{old} isn't in:\n{block}");
        block = block.replace(old, new);
    }
    block
}

/// Starts a proxy at a free port; at another one, if that is taken meanwhile.
async fn start_proxy(
    command: impl Fn(u16) -> Command,
    is_ready: impl AsyncFn(&Process) -> bool,
) -> (Process, SocketAddr) {
    let mut said = Vec::new();
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let process = Process::start(&mut command(free.port()));
        let listens = async {
            while !process.has_ended() {
                if is_ready(&process).await {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            false
        };
        if within(listens, "a proxy").await {
            return (process, free);
        }
        said = process.said();
    }
    panic!("the proxy doesn't start:\n{}", said.join("\n"))
}

async fn start_nginx(folder: &Folder, to: SocketAddr) -> (Process, SocketAddr) {
    let command = |port: u16| {
        let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
        let certificates = certificates.to_str().unwrap();
        let block = replaced(
            block("nginx", 0),
            &[
                ("127.0.0.1:8090", &to.to_string()),
                ("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl")),
                ("/etc/ssl/shop.example", certificates),
                ("proxy_read_timeout 60s", &format!("proxy_read_timeout {READ_TIMEOUT}")),
            ],
        );
        let own: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", folder.file(kind)))
            .concat();
        let pid = folder.file("pid");
        // A single process, which ends when it is killed.
        let all = format!(
            "daemon off;\nmaster_process off;\npid {pid};\nerror_log stderr notice;\nevents {{}}\n\
             http {{\naccess_log off;\n{own}{block}}}\n"
        );
        std::fs::write(folder.file("nginx.conf"), all).unwrap();
        let mut command = Command::new(installed("nginx"));
        command.args(["-e", "stderr", "-c", &folder.file("nginx.conf")]);
        command
    };
    // It says so when it has bound its ports.
    let listens =
        async |process: &Process| process.said().iter().any(|line| line.contains("event method"));
    start_proxy(command, listens).await
}

async fn start_haproxy(
    folder: &Folder,
    number: usize,
    replacements: &[(&str, &str)],
) -> (Process, SocketAddr) {
    let pem = ["chain.pem", "key.pem"].map(|name| std::fs::read_to_string(file(name)).unwrap());
    std::fs::write(folder.file("all.pem"), pem.concat()).unwrap();
    let command = |port: u16| {
        let block = replaced(block("haproxy", number), replacements);
        let block = replaced(block, &[("bind :443", &format!("bind 127.0.0.1:{port}"))]);
        let socket = folder.file("stats");
        let all = format!("global\n    stats socket {socket}\n    nbthread 1\n\n{block}");
        std::fs::write(folder.file("haproxy.cfg"), all).unwrap();
        let mut command = Command::new(installed("haproxy"));
        command.args(["-db", "-f", &folder.file("haproxy.cfg")]);
        command
    };
    let listens = async |_: &Process| UnixStream::connect(folder.file("stats")).await.is_ok();
    start_proxy(command, listens).await
}

/// Returns a field that HAProxy knows of the server.
async fn stat(folder: &Folder, field: &str) -> String {
    let mut socket = UnixStream::connect(folder.file("stats")).await.unwrap();
    socket.write_all(b"show stat\n").await.unwrap();
    let mut all = String::new();
    socket.read_to_string(&mut all).await.unwrap();
    let mut lines = all.lines();
    let names = lines.next().unwrap().trim_start_matches("# ").split(',');
    let column = names.into_iter().position(|name| name == field).expect("a field");
    let server = lines.find(|line| line.starts_with("shop,shop,")).expect("the server");
    server.split(',').nth(column).unwrap().to_owned()
}

/// Waits until the health checks of HAProxy find the server up.
async fn is_up(folder: &Folder, check: &str) {
    let up = async {
        while stat(folder, "check_status").await != check {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(up, "a health check").await;
    assert_eq!(stat(folder, "status").await, "UP");
}

/// Connects to a proxy from an address of its own.
async fn connect(proxy: SocketAddr) -> TlsStream<TcpStream> {
    let tls = TlsConnector::from(Arc::new(trusting_root()));
    let stream = from_elsewhere(proxy).await;
    let stream = within(tls.connect("localhost".try_into().unwrap(), stream), "a handshake").await;
    stream.unwrap()
}

/// Tries all that a site does through a proxy, which names clients without their
/// ports unless it opens their connections by the PROXY protocol.
async fn try_all(proxy: SocketAddr, has_port: bool) {
    let host = format!("shop.example:{}", proxy.port());
    let head = |method: &str, more: &str| {
        format!(
            "{method} / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\
             X-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\n{more}\r\n"
        )
    };
    let stream = connect(proxy).await;
    let own = stream.get_ref().0.local_addr().unwrap();
    let own = if has_port { own } else { SocketAddr::new(own.ip(), 0) };
    let answer = raw_over(stream, head("GET", "").as_bytes()).await;
    assert_eq!((answer.status, answer.text()), (200, &*own.to_string()));

    for (origin, status) in [
        (format!("https://{host}"), 200),
        (format!("http://{host}"), 403),
        ("https://evil.example".to_owned(), 403),
        ("null".to_owned(), 403),
    ] {
        let more = format!("Origin: {origin}\r\n");
        let answer = raw_over(connect(proxy).await, head("POST", &more).as_bytes()).await;
        assert_eq!(answer.status, status, "{origin}");
    }
    let more = "X-Forwarded-Host: evil.example\r\nOrigin: https://evil.example\r\n";
    assert_eq!(raw_over(connect(proxy).await, head("POST", more).as_bytes()).await.status, 403);
    let strange = head("GET", "").replace(&host, "evil.example");
    assert_eq!(raw_over(connect(proxy).await, strange.as_bytes()).await.status, 421);

    // What is idle for longer than the proxy waits stays open by its heartbeats.
    let join = async |path: &str| {
        let stream = connect(proxy).await;
        let own = stream.get_ref().0.local_addr().unwrap();
        (Client::over(stream, &format!("ws://{host}{path}")).await, own)
    };
    let ((mut patient, own), (mut mute, _)) = (join("/patient").await, join("/mute").await);
    patient.say("\"later\"").await;
    mute.say("\"later\"").await;
    // Both are read, since a client that doesn't answer a heartbeat is dropped.
    let ((), text) = tokio::join!(mute.hear_end(), patient.text());
    let own = if has_port { own } else { SocketAddr::new(own.ip(), 0) };
    assert_eq!(text, format!("\"{own}\""));
}

/// Sends some requests by one connection of a client.
async fn ask_again_and_again(proxy: SocketAddr) {
    let mut stream = BufReader::new(connect(proxy).await);
    for _ in 0..5 {
        let head = format!("GET / HTTP/1.1\r\nHost: shop.example:{}\r\n\r\n", proxy.port());
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n") {
            within(stream.read_line(&mut answer), "an answer").await.unwrap();
        }
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let length = answer.to_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        within(stream.read_exact(&mut body), "a body").await.unwrap();
    }
}

fn address_of(server: &RunningServer, protocol: Protocol) -> SocketAddr {
    server.address(protocol).unwrap()
}

#[tokio::test]
async fn nginx_as_documented_serves_pages_forms_and_signals() {
    let server = start(shop()).await;
    let folder = Folder::new("nginx");
    let (_nginx, proxy) = start_nginx(&folder, address_of(&server, Protocol::Http)).await;
    try_all(proxy, false).await;
}

#[tokio::test]
async fn nginx_as_documented_keeps_its_connections() {
    let server = start(shop()).await;
    let to = address_of(&server, Protocol::Http);
    let between = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Folder::new("pool");
    let (_nginx, proxy) = start_nginx(&folder, between.local_addr().unwrap()).await;
    let count = Arc::new(AtomicUsize::new(0));
    let mut relay = JoinSet::new();
    let counted = Arc::clone(&count);
    relay.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut one, _) = between.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let mut other = TcpStream::connect(to).await.unwrap();
            connections.spawn(async move { copy_bidirectional(&mut one, &mut other).await });
        }
    });
    for _ in 0..3 {
        ask_again_and_again(proxy).await;
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn haproxy_as_documented_serves_pages_forms_and_signals() {
    let server = start(shop()).await;
    let folder = Folder::new("haproxy");
    let to = address_of(&server, Protocol::Http).to_string();
    let replacements = [
        ("127.0.0.1:8090", &*to),
        ("/etc/haproxy/shop.example.pem", &folder.file("all.pem")),
        ("timeout tunnel 60s", &format!("timeout tunnel {READ_TIMEOUT}")),
    ];
    let (_haproxy, proxy) = start_haproxy(&folder, 0, &replacements).await;
    is_up(&folder, "L7OK").await;
    ask_again_and_again(proxy).await;
    assert_eq!((&*stat(&folder, "connect").await, &*stat(&folder, "reuse").await), ("1", "4"));
    try_all(proxy, false).await;
    is_up(&folder, "L7OK").await;
}

#[tokio::test]
async fn haproxy_by_the_proxy_protocol_as_documented_serves_pages_forms_and_signals() {
    let server = start(shop()).await;
    let folder = Folder::new("tcp");
    let to = address_of(&server, Protocol::Https).to_string();
    let replacements = [
        ("127.0.0.1:8443", &*to),
        ("timeout client 60s", &format!("timeout client {READ_TIMEOUT}")),
        ("timeout server 60s", &format!("timeout server {READ_TIMEOUT}")),
    ];
    let (_haproxy, proxy) = start_haproxy(&folder, 1, &replacements).await;
    is_up(&folder, "L4OK").await;
    try_all(proxy, true).await;
    is_up(&folder, "L4OK").await;
}
