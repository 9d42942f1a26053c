//! Operations: what a server says of itself, and where.

use std::net::SocketAddr;
use std::sync::Arc;

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::support::{
    Answer, Client, ask, certificate, get_at, http_2, raw, request_at, start, within,
};

pode_server! {
    server watched(gate: Arc<Barrier>) {
        // Longer than any test waits, so that an early end has the tested reason.
        stop_timeout: 1h,
        limits: Limits { max_connections: 2, keep_alive_timeout: 1h },
    };
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    endpoint inner http "127.0.0.1:0";
    operations { endpoint: inner };
    state GATE: Arc<Barrier> = gate;
    signal NEWS: String = "/news" { heartbeat: 1h };
    route GET "/*rest" (rest: String) => async |_, rest: String| text(rest);
    // Two waits are where a test lets the request come in and go on.
    route GET "/slow" => async |event| {
        event.state(GATE).wait().await;
        event.state(GATE).wait().await;
        text("done")
    };
}

pode_server! {
    server secure;
    endpoint inner https "127.0.0.1:0" { certificate: certificate() };
    operations { endpoint: inner };
}

fn inner(server: &RunningServer) -> SocketAddr {
    let mut endpoints = server.endpoints().iter();
    endpoints.find(|endpoint| endpoint.name == Some("inner")).unwrap().address
}

#[track_caller]
fn says(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text()), (status, text));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn a_server_tells_at_one_endpoint_that_it_works_and_is_ready() {
    let server = start(watched(Arc::new(Barrier::new(2)))).await;
    let address = inner(&server);
    says(&get_at(address, "/_pode/live").await, 200, "live");
    says(&get_at(address, "/_pode/ready?of=all").await, 200, "ready");
    let head = request_at(address, "HEAD", "/_pode/ready", &[], b"").await;
    assert_eq!((head.status, &*head.headers["content-length"], head.text()), (200, "6", ""));
    let post = request_at(address, "POST", "/_pode/ready", &[], b"now").await;
    assert_eq!((post.status, &*post.headers["allow"]), (405, "GET, HEAD"));
    let page = [("Origin", "https://evil.example"), ("Accept", "text/html")];
    says(&request_at(address, "GET", "/_pode/ready", &page, b"").await, 200, "ready");
    assert_eq!(get_at(address, "/_pode/metrics").await.text(), "_pode/metrics");
    let public = server.address(Protocol::Http).unwrap();
    assert_eq!(get_at(public, "/_pode/ready").await.text(), "_pode/ready");
}

#[tokio::test]
async fn who_asks_how_a_server_is_may_name_any_host_and_nobody_else() {
    let server = start(watched(Arc::new(Barrier::new(2)))).await;
    let address = inner(&server);
    let get = |path: &str, host: &str| {
        let request = format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        async move { raw(address, request.as_bytes()).await }
    };
    for host in ["Host: 10.1.2.3:9090\r\n", "Host: shop.example\r\n"] {
        says(&get("/_pode/live", host).await, 200, "live");
        says(&get("/_pode/ready", host).await, 200, "ready");
        assert_eq!(get("/page", host).await.status, 421);
    }
    // As all requests without or with two.
    for host in ["", "Host: a\r\nHost: b\r\n"] {
        assert_eq!(get("/_pode/ready", host).await.status, 400);
    }
    let asked = b"GET /_pode/ready HTTP/1.0\r\n\r\n";
    says(&raw(address, asked).await, 200, "ready");
}

#[tokio::test]
async fn a_server_tells_how_it_is_by_http_2_too() {
    let server = start(secure()).await;
    let address = inner(&server);
    for (path, text) in [("/_pode/live", "live"), ("/_pode/ready", "ready")] {
        let request = hyper::Request::get(format!("https://10.1.2.3{path}"));
        let request = request.body(http_body_util::Full::default()).unwrap();
        says(&ask(http_2(address).await, request).await.unwrap(), 200, text);
    }
}

#[tokio::test]
async fn a_server_that_stops_tells_so_until_its_last_client_has_gone() {
    let gate = Arc::new(Barrier::new(2));
    let server = start(watched(Arc::clone(&gate))).await;
    let (address, public) = (inner(&server), server.address(Protocol::Http).unwrap());
    let mut client = Client::connect(&server, "/news").await;
    let slow = tokio::spawn(async move { get_at(public, "/slow").await });
    gate.wait().await;
    let mut kept = TcpStream::connect(address).await.unwrap();
    kept.write_all(b"GET /_pode/ready HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("ready\n") {
        answer.push(within(kept.read_u8(), "an answer").await.unwrap().into());
    }

    let stopped = tokio::spawn(server.stop());
    within(async { while TcpStream::connect(public).await.is_ok() {} }, "the port to close").await;
    let end = within(kept.read(&mut [0]), "the end of the kept connection").await;
    assert_eq!(end.unwrap_or(0), 0);
    for _ in 0..3 {
        says(&get_at(address, "/_pode/live").await, 200, "live");
        says(&get_at(address, "/_pode/ready").await, 503, "stopping");
    }
    for path in ["/slow", "/_pode/metrics"] {
        let answer = get_at(address, path).await;
        assert_eq!((answer.status, answer.text()), (503, "the server is stopping"));
    }
    assert_eq!(Client::connect_at(address, "/news").await.err(), Some(503));
    gate.wait().await;
    assert_eq!(slow.await.unwrap().text(), "done");
    assert_eq!(client.close_code().await, 1001);
    within(stopped, "the stop").await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_server_that_is_full_tells_how_it_is() {
    let server = start(watched(Arc::new(Barrier::new(2)))).await;
    let address = inner(&server);
    let _first = Client::connect(&server, "/news").await;
    let _second = Client::connect(&server, "/news").await;
    for _ in 0..20 {
        says(&get_at(address, "/_pode/ready").await, 200, "ready");
    }
}
