//! Handlers whose clients leave, or end their side, before they have an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::client::conn::http2::SendRequest;
use pode::prelude::*;
use pode::warp::{self, Filter, Rejection};
use pode::{Protocol, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::{ask, certificate, handshake, http_2, start, within};
use crate::tls::secure_stream;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What handlers tell the test, and what they wait for.
#[derive(Clone)]
struct Gate {
    tell: UnboundedSender<&'static str>,
    open: Arc<Semaphore>,
}

pode_server! {
    server gated(gate: Gate) { stop_timeout: 1h };
    endpoint http "127.0.0.1:0" { limits: Limits { write_timeout: 1s } };
    endpoint ws "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    public "behavior/files";
    mount "/mounted" pending(gate.clone());
    state GATE: Gate = gate;
    signal NEWS: String = "/news";
    on connect NEWS => async |event| pass(event.state(GATE)).await;
    route GET "/slow" => async |event| -> Result<_, Failed> {
        pass(event.state(GATE)).await.ok();
        Ok(text("done"))
    };
    route POST "/slow" (body: String) => async |event, body| -> Result<_, Failed> {
        pass(event.state(GATE)).await.ok();
        Ok(text(body))
    };
}

/// Tells the test when it is dropped.
struct Dropped(Gate);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.tell.send("dropped");
    }
}

/// A filter that never answers.
fn pending(gate: Gate) -> impl Filter<Extract = (&'static str,), Error = Rejection> + Clone {
    warp::any().and_then(move || {
        let dropped = Dropped(gate.clone());
        async move {
            let _ = dropped.0.tell.send("begins");
            std::future::pending::<Result<&'static str, Rejection>>().await
        }
    })
}

async fn pass(gate: &Gate) -> Result<(), Failed> {
    gate.tell.send("begins")?;
    gate.open.acquire().await?.forget();
    gate.tell.send("ends")?;
    Ok(())
}

/// The test's side of a gate.
struct Handlers {
    told: UnboundedReceiver<&'static str>,
    open: Arc<Semaphore>,
}

impl Handlers {
    fn new() -> (Gate, Handlers) {
        let (tell, told) = unbounded_channel();
        let open = Arc::new(Semaphore::new(0));
        (Gate { tell, open: Arc::clone(&open) }, Handlers { told, open })
    }

    async fn start() -> (RunningServer, Handlers) {
        let (gate, handlers) = Handlers::new();
        (start(gated(gate)).await, handlers)
    }

    /// Waits until a handler begins.
    async fn begun(&mut self) {
        assert_eq!(within(self.told.recv(), "the handler's beginning").await, Some("begins"));
    }

    /// Lets a handler go on, and waits until it has ended.
    async fn end(&mut self) {
        self.open.add_permits(1);
        assert_eq!(within(self.told.recv(), "the handler's end").await, Some("ends"));
    }
}

fn slow() -> Request<String> {
    Request::get("https://localhost/slow").body(String::new()).unwrap()
}

/// Sends a request by HTTP/2 and takes it back once its handler has begun.
async fn begin_and_leave(requests: &mut SendRequest<String>, handlers: &mut Handlers) {
    within(requests.ready(), "the connection").await.unwrap();
    let answer = requests.send_request(slow());
    handlers.begun().await;
    drop(answer);
    // The server has read the reset by the time it answers the next request.
    let unknown = Request::get("https://localhost/unknown").body(String::new()).unwrap();
    assert_eq!(ask(requests.clone(), unknown).await.unwrap().status, 404);
}

/// Gives the server time to read that a client has gone, which it must not act
/// upon.
async fn while_the_server_reads_it() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_handler_runs_to_its_end_when_its_client_leaves() {
    let (server, mut handlers) = Handlers::start().await;
    let http = server.address(Protocol::Http).unwrap();
    for reset in [true, false] {
        for request in [
            "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
        ] {
            let mut client = TcpStream::connect(http).await.unwrap();
            client.write_all(request.as_bytes()).await.unwrap();
            handlers.begun().await;
            if reset {
                socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
            }
            drop(client);
            while_the_server_reads_it().await;
            handlers.end().await;
        }
    }
    let mut client = TcpStream::connect(server.address(Protocol::Ws).unwrap()).await.unwrap();
    client.write_all(handshake("/news").as_bytes()).await.unwrap();
    handlers.begun().await;
    drop(client);
    while_the_server_reads_it().await;
    handlers.end().await;
}

#[tokio::test]
async fn a_mounted_filter_is_dropped_when_its_client_has_gone() {
    let (server, mut handlers) = Handlers::start().await;
    let http = server.address(Protocol::Http).unwrap();
    for reset in [true, false] {
        let mut client = TcpStream::connect(http).await.unwrap();
        client.write_all(b"GET /mounted HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        handlers.begun().await;
        if reset {
            socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(client);
        assert_eq!(within(handlers.told.recv(), "the filter's end").await, Some("dropped"));
    }
}

/// What it sent and nobody reads hides its end.
#[tokio::test]
async fn a_mounted_filter_is_dropped_whatever_its_client_has_sent_before_it_has_gone() {
    let (server, mut handlers) = Handlers::start().await;
    let http = server.address(Protocol::Http).unwrap();
    for behind in [
        "GET /mounted HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n",
        "POST /mounted HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nhello",
    ] {
        for reset in [true, false] {
            let mut client = TcpStream::connect(http).await.unwrap();
            client.write_all(behind.as_bytes()).await.unwrap();
            handlers.begun().await;
            client.write_all(b"more").await.unwrap();
            if reset {
                socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
            }
            drop(client);
            assert_eq!(within(handlers.told.recv(), "the filter's end").await, Some("dropped"));
        }
    }
}

#[tokio::test]
async fn a_handler_runs_to_its_end_when_its_request_by_http_2_is_taken_back() {
    let (server, mut handlers) = Handlers::start().await;
    let mut requests = http_2(server.address(Protocol::Https).unwrap()).await;
    begin_and_leave(&mut requests, &mut handlers).await;
    handlers.end().await;

    within(requests.ready(), "the connection").await.unwrap();
    let answer = requests.send_request(slow());
    handlers.begun().await;
    drop((answer, requests));
    while_the_server_reads_it().await;
    handlers.end().await;
}

#[tokio::test]
async fn a_handler_runs_to_its_end_in_another_application() {
    let (gate, mut handlers) = Handlers::new();
    let service = gated(gate).into_service().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let application = axum::Router::new().fallback_service(service);
    tokio::spawn(async { axum::serve(listener, application).await });
    leave_midway(address, &mut handlers).await;

    let (gate, mut handlers) = Handlers::new();
    let application = gated(gate).into_filter().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(warp::serve(application).incoming(listener).run());
    leave_midway(address, &mut handlers).await;
}

async fn leave_midway(address: SocketAddr, handlers: &mut Handlers) {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    handlers.begun().await;
    // These servers take the end of its side for the client's leave.
    client.shutdown().await.unwrap();
    within(client.read_to_end(&mut Vec::new()), "the end").await.unwrap();
    handlers.end().await;
}

#[tokio::test]
async fn who_ends_its_side_after_a_request_has_its_answer() {
    let (server, mut handlers) = Handlers::start().await;
    let http = server.address(Protocol::Http).unwrap();
    let https = server.address(Protocol::Https).unwrap();
    for (path, status) in [("/slow", 200), ("/plain.txt", 200), ("/unknown", 404)] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut plain = TcpStream::connect(http).await.unwrap();
        let mut secure = secure_stream(https).await;
        plain.write_all(request.as_bytes()).await.unwrap();
        plain.shutdown().await.unwrap();
        secure.write_all(request.as_bytes()).await.unwrap();
        secure.shutdown().await.unwrap();
        if path == "/slow" {
            for _ in 0..2 {
                handlers.begun().await;
            }
            while_the_server_reads_it().await;
            for _ in 0..2 {
                handlers.end().await;
            }
        }
        let (mut from_plain, mut from_secure) = (String::new(), String::new());
        within(plain.read_to_string(&mut from_plain), "the answer").await.unwrap();
        within(secure.read_to_string(&mut from_secure), "the answer").await.unwrap();
        let first_line = format!("HTTP/1.1 {status} ");
        assert!(from_plain.starts_with(&first_line), "{path}: {from_plain}");
        assert!(from_secure.starts_with(&first_line), "{path}: {from_secure}");
    }
}

#[tokio::test]
async fn who_takes_back_very_many_requests_is_refused_more_of_them() {
    let (server, mut handlers) = Handlers::start().await;
    let mut requests = http_2(server.address(Protocol::Https).unwrap()).await;
    for _ in 0..199 {
        begin_and_leave(&mut requests, &mut handlers).await;
    }
    within(requests.ready(), "the connection").await.unwrap();
    let last = requests.send_request(slow());
    handlers.begun().await;
    drop(last);
    assert_eq!(ask(requests.clone(), slow()).await.unwrap().status, 503);
    for _ in 0..200 {
        handlers.end().await;
    }
    handlers.open.add_permits(1);
    let answered = async {
        // The last of them may not be counted off yet.
        while ask(requests.clone(), slow()).await.unwrap().status != 200 {}
    };
    within(answered, "an answer").await;
}

#[tokio::test]
async fn a_stop_waits_for_handlers_whose_clients_have_left() {
    let (server, mut handlers) = Handlers::start().await;
    let mut requests = http_2(server.address(Protocol::Https).unwrap()).await;
    begin_and_leave(&mut requests, &mut handlers).await;
    drop(requests);
    let stopping = tokio::spawn(server.stop());
    handlers.end().await;
    within(stopping, "the stop").await.unwrap();
}

#[tokio::test]
async fn who_drops_a_server_cuts_off_its_handlers() {
    let (server, mut handlers) = Handlers::start().await;
    let mut requests = http_2(server.address(Protocol::Https).unwrap()).await;
    begin_and_leave(&mut requests, &mut handlers).await;
    let mut client = TcpStream::connect(server.address(Protocol::Http).unwrap()).await.unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    handlers.begun().await;
    drop(server);
    // The gate is dropped with the last of them.
    assert_eq!(within(handlers.told.recv(), "the end").await, None);
}
