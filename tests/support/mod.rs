//! Clients for the tests: plain HTTP and WebSocket, with a timeout for each
//! wait.

mod folder;
mod process;
pub(crate) mod secure;
mod v1;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use futures_util::StreamExt;
use http_body_util::Full;
use hyper::{Request, Version};
use pode::{Protocol, RunningServer, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) use folder::{Folder, installed};
pub(crate) use process::{Process, this_test};
pub(crate) use secure::{
    FOLDER, ask, certificate, connect, file, http_2, http_2_over, trusting, trusting_root,
};
pub(crate) use v1::V1Client;

/// How long an immediate event may take; far longer than it ever takes, so that
/// only what never happens fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Starts a server that is declared with port 0.
pub(crate) async fn start(server: Server) -> RunningServer {
    server.start().await.expect("the server starts")
}

/// A server, and the version of HTTP for its requests.
pub(crate) struct Versioned {
    server: RunningServer,
    pub(crate) version: Version,
}

/// Starts a new server for each version of HTTP: for HTTP/1.1 without TLS, for
/// HTTP/2 with TLS. It is declared with an `http` and an `https` endpoint, the
/// latter with this [`certificate`].
pub(crate) async fn by_each_version(server: impl Fn() -> Server) -> [Versioned; 2] {
    let by = async |version| Versioned { server: start(server()).await, version };
    [by(Version::HTTP_11).await, by(Version::HTTP_2).await]
}

impl Deref for Versioned {
    type Target = RunningServer;

    fn deref(&self) -> &RunningServer {
        &self.server
    }
}

/// A target of requests, and their version of HTTP.
pub(crate) trait Asked {
    fn asked(&self) -> (&RunningServer, Version);
}

impl Asked for RunningServer {
    fn asked(&self) -> (&RunningServer, Version) {
        (self, Version::HTTP_11)
    }
}

impl Asked for Versioned {
    fn asked(&self) -> (&RunningServer, Version) {
        (&self.server, self.version)
    }
}

/// Waits until no other process uses the fixed ports of the examples, which
/// another copy of this repository may do, too; dropping the value frees them.
pub(crate) fn example_ports() -> std::fs::File {
    let file = std::env::temp_dir().join("pode-example-ports.lock");
    // Another user's file can be locked, but not created.
    let file = std::fs::File::open(&file).or_else(|_| std::fs::File::create(&file));
    let file = file.expect("the lock file can be made");
    file.lock().expect("the lock file can be locked");
    file
}

/// A server's response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By lower-case name.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text").trim_end()
    }
}

/// Sends a GET for a path.
pub(crate) async fn get(server: &impl Asked, path: &str) -> Answer {
    request(server, "GET", path, &[], b"").await
}

/// Sends a GET for a path to an address.
pub(crate) async fn get_at(address: SocketAddr, path: &str) -> Answer {
    request_at(address, "GET", path, &[], b"").await
}

/// Posts encoded form fields.
pub(crate) async fn post_form(server: &impl Asked, path: &str, fields: &str) -> Answer {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    request(server, "POST", path, &headers, fields.as_bytes()).await
}

/// Sends a request to the first `http` endpoint, or over HTTP/2 to the first
/// `https` endpoint.
pub(crate) async fn request(
    server: &impl Asked,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    request_of_bytes(server, method, path, &as_bytes(headers), body).await
}

/// Does the same with headers that needn't be text.
pub(crate) async fn request_of_bytes(
    server: &impl Asked,
    method: &str,
    path: &str,
    headers: &[(&str, &[u8])],
    body: &[u8],
) -> Answer {
    let (server, version) = server.asked();
    println!("{version:?}: {method} {path}");
    if version != Version::HTTP_2 {
        let address = server.address(Protocol::Http).expect("there is an http endpoint");
        return raw(address, &travelling(address, method, path, headers, body)).await;
    }
    let address = server.address(Protocol::Https).expect("there is an https endpoint");
    let mut request = Request::builder().method(method).uri(format!("https://localhost{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body.to_vec())).expect("this is a request");
    ask(http_2(address).await, request).await.expect("the server answers")
}

/// Sends a request to an address.
pub(crate) async fn request_at(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    raw(address, &travelling(address, method, path, &as_bytes(headers), body)).await
}

fn as_bytes<'text>(headers: &[(&'text str, &'text str)]) -> Vec<(&'text str, &'text [u8])> {
    headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect()
}

/// Makes the bytes of an HTTP/1.1 request.
fn travelling(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &[u8])],
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n")
        .into_bytes();
    for (name, value) in headers {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    if !body.is_empty() {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// Sends bytes and reads one response, up to the end of the connection.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let stream = within(TcpStream::connect(address), "a connection").await;
    raw_over(stream.expect("the server accepts"), bytes).await
}

/// Does the same over an existing connection.
pub(crate) async fn raw_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
) -> Answer {
    let exchange = async {
        stream.write_all(bytes).await.expect("the server reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the server answers");
        answer
    };
    let answer = within(exchange, "an answer").await;
    let end_of_head =
        answer.windows(4).position(|window| window == b"\r\n\r\n").expect("the answer has a head");
    let head = std::str::from_utf8(&answer[..end_of_head]).expect("the head is text");
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: answer[end_of_head + 4..].to_vec() }
}

/// Returns the bytes of a WebSocket handshake.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Does the handshake for a path at the first `ws` endpoint, and returns the bare
/// connection.
pub(crate) async fn bare_client(server: &RunningServer, path: &str) -> TcpStream {
    let address = server.address(Protocol::Ws).expect("there is a ws endpoint");
    let stream = within(TcpStream::connect(address), "a connection").await;
    let mut stream = stream.expect("the server accepts");
    stream.write_all(handshake(path).as_bytes()).await.expect("the server reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8(), "the reply").await.expect("the server answers"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

/// A WebSocket client.
pub(crate) struct Client<S = MaybeTlsStream<TcpStream>> {
    stream: WebSocketStream<S>,
}

impl Client {
    /// Connects to a path at the first `ws` endpoint. Every message sent from
    /// now on reaches this client.
    pub(crate) async fn connect(server: &RunningServer, path: &str) -> Client {
        let address = server.address(Protocol::Ws).expect("there is a ws endpoint");
        Client::connect_at(address, path).await.expect("the handshake succeeds")
    }

    /// Connects to a path at an address; the error is the status of a refusal.
    pub(crate) async fn connect_at(address: SocketAddr, path: &str) -> Result<Client, u16> {
        let handshake = Client::handshake(address, path, &[]).await;
        handshake.map(|(client, _)| client).map_err(|(status, _)| status)
    }

    /// Connects with custom headers, and returns those of the response by
    /// lower-case name; or the status and the text of a refusal, 0 if there is no
    /// response.
    pub(crate) async fn handshake(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Client, HashMap<String, String>), (u16, String)> {
        let url = format!("ws://{address}{path}");
        let mut request = url.into_client_request().expect("this is a URL");
        for (name, value) in headers {
            let value = value.parse().expect("this may stand in a header");
            request.headers_mut().append(*name, value);
        }
        match within(tokio_tungstenite::connect_async(request), "a handshake").await {
            Ok((stream, reply)) => {
                let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
                let headers = reply.headers().iter();
                let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
                Ok((Client { stream }, headers.collect()))
            }
            Err(tungstenite::Error::Http(response)) => {
                let sentence = response.body().as_deref().unwrap_or_default();
                let sentence = String::from_utf8_lossy(sentence).trim_end().to_owned();
                Err((response.status().as_u16(), sentence))
            }
            Err(error) => Err((0, error.to_string())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Does the handshake over an existing connection.
    pub(crate) async fn over(stream: S, url: &str) -> Client<S> {
        let handshake = within(tokio_tungstenite::client_async(url, stream), "a handshake");
        Client { stream: handshake.await.expect("the handshake succeeds").0 }
    }

    /// Takes the other side: does the handshake as a server.
    pub(crate) async fn accept(stream: S) -> Client<S> {
        let handshake = within(tokio_tungstenite::accept_async(stream), "a handshake");
        Client { stream: handshake.await.expect("the handshake succeeds") }
    }

    /// Returns the underlying connection.
    pub(crate) fn stream(&mut self) -> &mut S {
        self.stream.get_mut()
    }

    /// Waits for the next text message.
    pub(crate) async fn text(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.to_string(),
            other => panic!("expected a text message, got {other:?}"),
        }
    }

    /// Waits for the server's close frame and the end of the connection, and
    /// returns the code.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let code = match self.message().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("expected a close frame, got {other:?}"),
        };
        // The library sends its answer on the next read.
        let end = within(self.stream.next(), "the end").await;
        assert!(end.is_none(), "something follows the close frame: {end:?}");
        code
    }

    /// Reads to the end of the connection, which is near.
    pub(crate) async fn hear_end(&mut self) {
        while let Some(Ok(_)) = within(self.stream.next(), "the end").await {}
    }

    /// Waits for the next message of either kind, or for the close frame.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            let message = within(self.stream.next(), "a message").await;
            match message.expect("the connection is open").expect("the connection is sound") {
                // A heartbeat, which the library answers.
                Message::Ping(_) => {}
                message => return message,
            }
        }
    }

    /// Sends a text.
    pub(crate) async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Sends texts in one write.
    pub(crate) async fn say_all(&mut self, texts: impl IntoIterator<Item = String>) {
        let texts = texts.into_iter().map(|text| Ok(Message::text(text)));
        let mut texts = futures_util::stream::iter(texts);
        let sent = futures_util::SinkExt::send_all(&mut self.stream, &mut texts);
        within(sent, "room for messages").await.expect("the connection is open");
    }

    /// Sends a close frame and waits for the end of the connection.
    pub(crate) async fn leave(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.send(Message::Close(Some(frame))).await;
        while let Some(Ok(_)) = within(self.stream.next(), "the end").await {}
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: Message) {
        let sent = futures_util::SinkExt::send(&mut self.stream, message);
        within(sent, "room for a message").await.expect("the connection is open");
    }
}

/// Waits for an event that should happen at once.
#[track_caller]
pub(crate) fn within<T>(future: impl Future<Output = T>, what: &str) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(value) => value,
            Err(_) => panic!("{place}: waited {PATIENCE:?} for {what}"),
        }
    }
}
