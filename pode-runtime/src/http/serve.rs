//! The accept loop: from a listening socket to requests.
//!
//! Each connection is a task that does the TLS handshake, if any, speaks HTTP,
//! and passes its requests to a service. After an upgrade, the connection is no
//! longer handled here.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::Instrument;
use warp::reply::Response;

use crate::base::limits::Limits;
use crate::base::log::if_enabled;
use crate::base::log::ration::rationed;
use crate::base::supervisor::{Supervisor, finish_by, has_ended};
use crate::http::activity::RequestBody;
use crate::http::{http1, http2};
use crate::net::accept::{self, AcceptedConnection, Acceptor};
use crate::net::connection_limit::ConnectionLimit;
use crate::net::listen::Listener;
use crate::net::proxies::Proxies;
use crate::net::proxy_protocol;
use crate::net::shutdown::{LastRequest, told_to_stop};
use crate::net::tls::certificate::ClientCertificate;
use crate::net::tls::config::{Tls, chose_http_2, client_certificate};

/// How many bytes may wait in the system to be sent. So it keeps little for
/// clients that don't read, and shows whether they do.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 << 10;

/// The options of a listening address.
#[derive(Clone, Debug)]
pub(crate) struct ServeOptions {
    pub(crate) limits: Limits,
    pub(crate) connections: Arc<ConnectionLimit>,
    pub(crate) proxies: Arc<Proxies>,
}

#[cfg(test)]
impl Default for ServeOptions {
    fn default() -> Self {
        let limits = Limits::default();
        let connections = ConnectionLimit::of_server(&limits, usize::MAX);
        ServeOptions { limits, connections, proxies: Arc::default() }
    }
}

/// Serves all connections of a listener until `stopping` holds a deadline, or
/// no sender is left to set one.
///
/// Then the port is closed at once, idle connections end, and requests in
/// flight are answered; connections that remain at the deadline are dropped.
/// Dropping this future does the same to all of them.
///
/// While the listener doesn't accept, because a newer process does, its connections
/// end like that, too, but without a deadline, and each after one request at least.
pub(crate) async fn serve<S, F>(
    listener: impl Into<Listener>,
    tls: Option<Tls>,
    ServeOptions { limits, connections: counted, proxies }: ServeOptions,
    service: S,
    mut stopping: watch::Receiver<Option<Instant>>,
) where
    S: Fn(Request<RequestBody<Incoming>>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let limits = Arc::new(limits);
    let is_plain = tls.is_none();
    let listener = listener.into();
    let last = LastRequest { stopping: stopping.clone(), accepting: listener.accepting() };
    let mut acceptor = Acceptor::new(listener, counted, Arc::clone(&proxies), is_plain);
    let mut connections = JoinSet::new();
    let mut supervisor = Supervisor::new("the accepting of connections");
    let deadline = loop {
        let accepting = async {
            loop {
                tokio::select! {
                    deadline = told_to_stop(&mut stopping) => return deadline,
                    accepted = acceptor.accept() => {
                        let (tls, service) = (tls.clone(), service.clone());
                        let (limits, last) = (Arc::clone(&limits), last.clone());
                        let proxies = Arc::clone(&proxies);
                        let span = tracing::debug_span!("connection", peer = %accepted.peer);
                        let connection =
                            connection(accepted, proxies, tls, limits, service, last);
                        connections.spawn(connection.instrument(if_enabled(span)));
                    }
                    Some(ended) = connections.join_next() => has_ended(ended),
                }
            }
        };
        // Existing connections go on, even if this panics.
        if let Some(deadline) = supervisor.watch(accepting).await {
            break deadline;
        }
    };
    drop(acceptor);
    finish_by(&mut connections, deadline, "connections").await;
}

/// Serves one connection, with or without TLS.
async fn connection<S, F>(
    mut accepted: AcceptedConnection,
    proxies: Arc<Proxies>,
    tls: Option<Tls>,
    limits: Arc<Limits>,
    service: S,
    mut last: LastRequest,
) where
    S: Fn(Request<RequestBody<Incoming>>, SocketAddr) -> F + 'static,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    if proxies.open_by_proxy_protocol {
        // Boxed, so that other connections needn't be as large.
        let opened = Box::pin(open_by_proxy(
            &mut accepted,
            &proxies,
            tls.is_none(),
            &limits,
            told_to_stop(&mut last.stopping),
        ));
        if opened.await.is_none() {
            return;
        }
    }
    let AcceptedConnection { stream, peer, permit } = accepted;
    // Otherwise a message could wait until the client's system acknowledges the
    // previous one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off Nagle's algorithm");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES) {
        tracing::debug!(%error, "cannot limit the send buffer");
    }
    let permit = Some(permit);
    let service = move |request| service(request, peer);
    let result = match tls {
        None => http1::serve(stream, permit, &limits, service, last).await,
        Some(tls) => {
            let handshake =
                tls.accept(stream, limits.tls_timeout, told_to_stop(&mut last.stopping)).await;
            let shown = handshake.and_then(|stream| Ok((client_certificate(&stream)?, stream)));
            let introduced = |certificate: Option<ClientCertificate>| {
                move |mut request: Request<RequestBody<Incoming>>| {
                    if let Some(certificate) = &certificate {
                        request.extensions_mut().insert(certificate.clone());
                    }
                    service(request)
                }
            };
            match shown {
                // Boxed, so that plain connections needn't be as large.
                Ok((certificate, stream)) if chose_http_2(&stream) => {
                    let service = introduced(certificate);
                    Box::pin(http2::serve(stream, permit, &limits, service, last)).await
                }
                Ok((certificate, stream)) => {
                    let service = introduced(certificate);
                    Box::pin(http1::serve(stream, permit, &limits, service, last)).await
                }
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    return;
                }
            }
        }
    };
    if let Err(error) = result {
        let reason = std::error::Error::source(&error).map(ToString::to_string);
        tracing::debug!(%error, reason, "a connection ended early");
    }
}

/// Learns from a proxy whose connection it is, which then counts for that
/// address. Returns `None` if it is to be closed.
async fn open_by_proxy(
    AcceptedConnection { stream, peer, permit }: &mut AcceptedConnection,
    proxies: &Proxies,
    is_plain: bool,
    limits: &Limits,
    stop: impl Future,
) -> Option<()> {
    let header = tokio::select! {
        biased;
        header = timeout(limits.head_timeout, proxy_protocol::read(stream)) => header,
        _ = stop => return None,
    };
    match header.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(Some(client)) => *peer = client,
        Ok(None) => {}
        // Some health checks only connect.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
        Err(error) => {
            rationed!(
                info,
                proxy = %peer,
                %error,
                "a proxy's connection that doesn't begin with a PROXY header is closed \
                 (`proxy_protocol`)"
            );
            return None;
        }
    }
    if !proxies.trusts(peer.ip()) && permit.count_for(peer.ip()).is_err() {
        tracing::debug!(%peer, "refused a connection (`max_connections_per_address`)");
        if is_plain {
            accept::refuse(stream);
        }
        return None;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;
    use warp::Reply;

    use super::*;
    use crate::http::handshake::is_upgrade;
    use crate::net::listen::bind;

    /// A listener whose service answers with the request's body. Requests to
    /// `/wait` are announced and wait, those to `/panic` panic.
    struct Listener {
        address: SocketAddr,
        stopping: watch::Sender<Option<Instant>>,
        serving: JoinHandle<()>,
        waiting: mpsc::UnboundedReceiver<()>,
        go_on: watch::Sender<bool>,
    }

    impl Listener {
        fn start() -> Listener {
            let listener = bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
            let address = listener.local_addr().unwrap();
            let stopping = watch::Sender::new(None);
            let (waits, waiting) = mpsc::unbounded_channel();
            let go_on = watch::Sender::new(false);
            let gate = go_on.subscribe();
            let service = move |request: Request<RequestBody<Incoming>>, peer: SocketAddr| {
                let (waits, mut gate) = (waits.clone(), gate.clone());
                async move {
                    assert!(peer.ip().is_loopback());
                    match request.uri().path() {
                        "/panic" => panic!("as the test wants it"),
                        "/wait" => {
                            waits.send(()).unwrap();
                            gate.wait_for(|go_on| *go_on).await.unwrap();
                        }
                        _ => {}
                    }
                    if is_upgrade(request.headers()) {
                        let response = http::Response::builder()
                            .status(StatusCode::SWITCHING_PROTOCOLS)
                            .header("connection", "Upgrade")
                            .header("upgrade", "websocket");
                        return Ok(response.body("").unwrap().into_response());
                    }
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    Ok(http::Response::new(body).into_response())
                }
            };
            let serving = tokio::spawn(serve(
                listener,
                None,
                ServeOptions::default(),
                service,
                stopping.subscribe(),
            ));
            Listener { address, stopping, serving, waiting, go_on }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        fn stop_within(&self, seconds: u64) {
            let deadline = Instant::now() + Duration::from_secs(seconds);
            self.stopping.send_replace(Some(deadline));
        }
    }

    async fn ask(peer: &mut TcpStream, path: &str, body: &str) {
        let length = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n\r\n{body}");
        peer.write_all(request.as_bytes()).await.unwrap();
    }

    /// Waits for a reply that ends with this body.
    async fn hear(peer: &mut TcpStream, body: &str) {
        let mut reply = String::new();
        while !reply.ends_with(&format!("\r\n\r\n{body}")) {
            reply.push(peer.read_u8().await.unwrap().into());
        }
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    }

    /// Waits for the end of the connection.
    async fn hear_end(peer: &mut TcpStream) {
        assert_eq!(peer.read(&mut [0]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn requests_are_answered_one_after_the_other() {
        let listening = Listener::start();
        let mut peer = listening.connect().await;
        for body in ["one", "two"] {
            ask(&mut peer, "/", body).await;
            hear(&mut peer, body).await;
        }
    }

    #[tokio::test]
    async fn a_stop_closes_the_port_and_lets_requests_finish() {
        let mut listening = Listener::start();
        let mut idle = listening.connect().await;
        ask(&mut idle, "/", "before").await;
        hear(&mut idle, "before").await;
        let mut busy = listening.connect().await;
        ask(&mut busy, "/wait", "in flight").await;
        listening.waiting.recv().await.unwrap();

        listening.stop_within(3600);
        hear_end(&mut idle).await;
        while TcpStream::connect(listening.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        listening.go_on.send_replace(true);
        hear(&mut busy, "in flight").await;
        hear_end(&mut busy).await;
        listening.serving.await.unwrap();
    }

    /// A client may accept only `Upgrade` in the header `Connection`.
    #[tokio::test]
    async fn a_handshake_in_flight_is_answered_at_a_stop_as_at_any_time() {
        let mut listening = Listener::start();
        let mut idle = listening.connect().await;
        ask(&mut idle, "/", "before").await;
        hear(&mut idle, "before").await;
        let mut peer = listening.connect().await;
        let handshake = "GET /wait HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        peer.write_all(handshake.as_bytes()).await.unwrap();
        listening.waiting.recv().await.unwrap();
        listening.stop_within(3600);
        hear_end(&mut idle).await;
        listening.go_on.send_replace(true);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(peer.read_u8().await.unwrap().into());
        }
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("\r\nconnection: Upgrade\r\n"), "{head}");
        listening.serving.await.unwrap();
    }

    #[tokio::test]
    async fn what_has_come_before_a_stop_is_answered() {
        let listener = bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let stopping = watch::Sender::new(Some(Instant::now()));
        let service = async |_: Request<RequestBody<Incoming>>| Ok("here".into_response());
        // Enough to rule out chance.
        for _ in 0..50 {
            let mut peer = TcpStream::connect(address).await.unwrap();
            ask(&mut peer, "/", "").await;
            let (stream, _) = listener.accept().await.unwrap();
            stream.readable().await.unwrap();
            let limits = Limits::default();
            let served = http1::serve(stream, None, &limits, service, stopping.subscribe());
            let (served, ()) = tokio::join!(served, hear(&mut peer, "here"));
            served.unwrap();
        }
    }

    #[tokio::test]
    async fn a_silent_connection_doesnt_hold_up_a_stop() {
        let listening = Listener::start();
        let mut silent = listening.connect().await;
        // Connections are accepted in order.
        let mut other = listening.connect().await;
        ask(&mut other, "/", "accepted").await;
        hear(&mut other, "accepted").await;
        listening.stop_within(3600);
        hear_end(&mut silent).await;
        listening.serving.await.unwrap();
    }

    #[tokio::test]
    async fn requests_that_outlast_the_deadline_are_dropped() {
        let mut listening = Listener::start();
        let mut busy = listening.connect().await;
        ask(&mut busy, "/wait", "").await;
        listening.waiting.recv().await.unwrap();
        listening.stop_within(0);
        hear_end(&mut busy).await;
        listening.serving.await.unwrap();
    }

    #[tokio::test]
    async fn connections_end_when_nobody_serves_them() {
        let listening = Listener::start();
        let mut peer = listening.connect().await;
        ask(&mut peer, "/", "hi").await;
        hear(&mut peer, "hi").await;
        listening.serving.abort();
        hear_end(&mut peer).await;
    }

    #[tokio::test]
    async fn a_panic_ends_one_connection() {
        let listening = Listener::start();
        let (mut unlucky, mut other) = (listening.connect().await, listening.connect().await);
        ask(&mut unlucky, "/panic", "").await;
        hear_end(&mut unlucky).await;
        ask(&mut other, "/", "still here").await;
        hear(&mut other, "still here").await;
        let mut next = listening.connect().await;
        ask(&mut next, "/", "and so am I").await;
        hear(&mut next, "and so am I").await;
    }

    #[tokio::test]
    async fn what_is_no_http_1_is_refused() {
        let listening = Listener::start();
        let tls = "\u{16}\u{3}\u{1} tls?\r\n\r\n";
        // A client that speaks HTTP/2 could not read an answer in HTTP/1.
        let http_2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for (nonsense, answer) in [(tls, "HTTP/1.1 400 Bad Request\r\n"), (http_2, "")] {
            let mut peer = listening.connect().await;
            peer.write_all(nonsense.as_bytes()).await.unwrap();
            let mut reply = String::new();
            peer.read_to_string(&mut reply).await.unwrap();
            assert_eq!(reply.split_inclusive('\n').next().unwrap_or_default(), answer, "{reply}");
        }
    }

    /// Paused time jumps ahead when every task waits for it, so the sockets
    /// need no real time.
    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_no_request_comes() {
        let listening = Listener::start();
        let started = Instant::now();
        let mut silent = listening.connect().await;
        let mut halting = listening.connect().await;
        halting.write_all(b"POST / HTTP/1.1\r\nHos").await.unwrap();
        hear_end(&mut silent).await;
        hear_end(&mut halting).await;
        assert!(started.elapsed() >= Limits::default().head_timeout);

        let started = Instant::now();
        let mut idle = listening.connect().await;
        ask(&mut idle, "/", "first and last").await;
        hear(&mut idle, "first and last").await;
        hear_end(&mut idle).await;
        assert!(started.elapsed() >= Limits::default().keep_alive_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_of_a_proxy_has_the_time_of_a_head() {
        let listener = bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let limits = Limits::default();
        for said in [&b""[..], b"PROXY TCP4"] {
            let mut proxy = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            proxy.write_all(said).await.unwrap();
            let (stream, peer) = listener.accept().await.unwrap();
            let permit = ServeOptions::default().connections.enter(None).unwrap();
            let mut accepted = AcceptedConnection { stream, peer, permit };
            let started = Instant::now();
            let stop = std::future::pending::<()>();
            let opened =
                open_by_proxy(&mut accepted, &Proxies::default(), true, &limits, stop).await;
            assert_eq!(opened, None);
            assert!(started.elapsed() >= limits.head_timeout);
        }
    }
}
