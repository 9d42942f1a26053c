//! The WebSocket handshake (RFC 6455, section 4.2): from a request to a client
//! of the engine.
//!
//! The rules are plain functions over headers; the [filter] joins them with
//! the connection behind the request. Extensions and subprotocols that a
//! client offers are not taken up.

use bytes::Bytes;
use headers::{HeaderMapExt, SecWebsocketAccept, SecWebsocketKey};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply};

use crate::engine::Engine;
use crate::reply::sentence;

/// Tells whether a request asks for a WebSocket.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade")
        && has_token(headers, header::UPGRADE, "websocket")
}

/// A handshake that may be answered with 101.
#[derive(Debug)]
pub(crate) struct Accepted {
    accept: SecWebsocketAccept,
}

/// Why a handshake is refused, in words for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("a WebSocket handshake is a GET request")]
    Method,
    #[error("a WebSocket handshake needs HTTP/1.1")]
    HttpVersion,
    #[error("a WebSocket handshake says `Connection: Upgrade` and `Upgrade: websocket`")]
    NotAsked,
    /// Its bytes could be taken for the client's first frames.
    #[error("a WebSocket handshake has no body")]
    Body,
    #[error("the server speaks version 13 of the WebSocket protocol")]
    Version,
    #[error("a WebSocket handshake needs one Sec-WebSocket-Key: 16 bytes in base64")]
    Key,
    #[error("the server is stopping")]
    Stopping,
}

/// Checks a handshake.
///
/// # Errors
///
/// The first rule that it breaks.
pub(crate) fn accept(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<Accepted, HandshakeError> {
    if method != Method::GET {
        return Err(HandshakeError::Method);
    }
    if version != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    if !is_upgrade(headers) {
        return Err(HandshakeError::NotAsked);
    }
    let has_length = headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0");
    if has_length || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(HandshakeError::Body);
    }
    if single(headers, header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(HandshakeError::Version);
    }
    if !single(headers, header::SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        return Err(HandshakeError::Key);
    }
    let key = headers.typed_get::<SecWebsocketKey>().ok_or(HandshakeError::Key)?;
    Ok(Accepted { accept: key.into() })
}

impl Accepted {
    /// Makes the reply after which the connection is a WebSocket.
    pub(crate) fn response(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.typed_insert(self.accept);
        response
    }
}

impl HandshakeError {
    /// Makes the reply that says what is wrong.
    pub(crate) fn response(self) -> Response<Bytes> {
        let status = match self {
            HandshakeError::Method => StatusCode::METHOD_NOT_ALLOWED,
            HandshakeError::HttpVersion | HandshakeError::Body | HandshakeError::Key => {
                StatusCode::BAD_REQUEST
            }
            HandshakeError::NotAsked | HandshakeError::Version => StatusCode::UPGRADE_REQUIRED,
            HandshakeError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = sentence(status, &self.to_string());
        let mut hint = |name: HeaderName, value| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        if self == HandshakeError::Method {
            hint(header::ALLOW, "GET");
        }
        if self == HandshakeError::Version {
            hint(header::SEC_WEBSOCKET_VERSION, "13");
        }
        if status == StatusCode::UPGRADE_REQUIRED {
            // Such a reply names the protocol (RFC 9110, section 15.5.22).
            hint(header::CONNECTION, "Upgrade");
            hint(header::UPGRADE, "websocket");
        }
        response
    }
}

/// Makes the filter that turns a request into a client of the signal at `path`.
///
/// It never rejects: a refusal is a response, too. Each request carries its
/// [`Version`] and the server's [`Engine`] among its extensions.
pub(crate) fn filter(path: &'static str) -> BoxedFilter<(warp::reply::Response,)> {
    warp::ext::optional::<Engine>()
        .and(warp::ext::optional::<Version>())
        .and(warp::ext::optional::<OnUpgrade>())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .then(
            move |engine: Option<Engine>,
                  version: Option<Version>,
                  upgrade: Option<OnUpgrade>,
                  method: Method,
                  headers: HeaderMap| async move {
                let engine = engine.expect("the server gives its engine to each request");
                let version = version.expect("the server gives its version to each request");
                let response = match accept(&method, version, &headers) {
                    Ok(accepted) => {
                        let upgrade = upgrade
                            .expect("hyper gives one to each HTTP/1.1 request that asks for it");
                        open(path, &engine, upgrade, accepted).await
                    }
                    Err(error) => error.response(),
                };
                response.into_response()
            },
        )
        .boxed()
}

/// Announces the client to the engine, so that it misses nothing that is sent
/// after the reply.
async fn open(
    path: &'static str,
    engine: &Engine,
    upgrade: OnUpgrade,
    accepted: Accepted,
) -> Response<Bytes> {
    let opening = async move {
        let upgraded = upgrade.await;
        upgraded
            .inspect_err(|error| tracing::debug!(path, %error, "a client left in the handshake"))
            .ok()
    };
    if engine.adopt(path, opening).await {
        accepted.response()
    } else {
        HandshakeError::Stopping.response()
    }
}

/// Looks for a token in a comma-separated header, which may stand on several
/// lines. Case doesn't matter.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// Returns the value of a header that stands there exactly once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

/// Tells whether this is the base64 form of 16 bytes.
///
/// The last digit stands for two bits and may hold more, as that of the
/// standard's own example does.
fn is_key(value: &HeaderValue) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    value
        .as_bytes()
        .strip_suffix(b"==")
        .is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_digit))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use pode_core::Message;
    use pode_core::hub::Hub;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::watch;
    use tokio::time::Instant;
    use tower_service::Service;

    use super::*;
    use crate::listener;

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const ASKED: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        KEY,
    ];

    fn headers<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        headers
    }

    /// The headers of a handshake, with another value for one of them.
    fn with(name: &str, value: &str) -> HeaderMap {
        let mut headers = headers(ASKED);
        headers.insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        headers
    }

    #[track_caller]
    fn check(headers: &HeaderMap, expected: Result<(), HandshakeError>) {
        assert_eq!(accept(&Method::GET, Version::HTTP_11, headers).map(drop), expected);
    }

    #[test]
    fn an_upgrade_is_asked_for_in_lists_and_lines_of_any_case() {
        let upgrade = ("upgrade", "h2c, websocket");
        assert!(is_upgrade(&headers(ASKED)));
        assert!(is_upgrade(&headers([("connection", "upgrade"), upgrade])));
        assert!(is_upgrade(&headers([
            ("connection", "keep-alive"),
            ("connection", "UPGRADE"),
            upgrade
        ])));
        assert!(!is_upgrade(&headers([upgrade])));
        assert!(!is_upgrade(&headers([("connection", "upgrade")])));
        assert!(!is_upgrade(&headers([("connection", "upgraded"), upgrade])));
        assert!(!is_upgrade(&headers([("connection", "upgrade"), ("upgrade", "websocket/13")])));
    }

    #[test]
    fn the_reply_proves_that_the_key_was_read() {
        let accepted = accept(&Method::GET, Version::HTTP_11, &headers(ASKED)).unwrap();
        let response = accepted.response();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["connection"], "Upgrade");
        assert_eq!(response.headers()["upgrade"], "websocket");
        // From the standard, section 1.3.
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(response.body().is_empty());
    }

    #[test]
    fn what_is_offered_besides_is_not_taken_up() {
        let mut headers = with("sec-websocket-protocol", "chat");
        headers.insert("sec-websocket-extensions", "permessage-deflate".parse().unwrap());
        let response = accept(&Method::GET, Version::HTTP_11, &headers).unwrap().response();
        assert_eq!(response.headers().len(), 3);
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let refused = |method, version| accept(&method, version, &headers(ASKED)).unwrap_err();
        assert_eq!(refused(Method::POST, Version::HTTP_11), HandshakeError::Method);
        assert_eq!(refused(Method::GET, Version::HTTP_10), HandshakeError::HttpVersion);
        check(&with("connection", "close"), Err(HandshakeError::NotAsked));
        check(&with("content-length", "5"), Err(HandshakeError::Body));
        check(&with("content-length", "0"), Ok(()));
        check(&with("transfer-encoding", "chunked"), Err(HandshakeError::Body));
        check(&with("sec-websocket-version", "8"), Err(HandshakeError::Version));
        check(&with("sec-websocket-version", "13, 8"), Err(HandshakeError::Version));

        check(&headers(ASKED[..3].iter().copied()), Err(HandshakeError::Key));
        check(&headers(ASKED.into_iter().chain([KEY])), Err(HandshakeError::Key));
        for wrong in ["", "short==", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZQQ="] {
            check(&with(KEY.0, wrong), Err(HandshakeError::Key));
        }
        check(&with(KEY.0, "dGhlIHNhbXBsZSBub25j!Q=="), Err(HandshakeError::Key));
        // From the standard, section 4.1, with bits in its last digit that
        // stand for nothing.
        check(&with(KEY.0, "AQIDBAUGBwgJCgsMDQ4PEC=="), Ok(()));
    }

    #[test]
    fn refusals_say_what_would_be_right() {
        let response = HandshakeError::Version.response();
        assert_eq!(response.status(), 426);
        assert_eq!(response.headers()["sec-websocket-version"], "13");
        assert_eq!(response.headers()["upgrade"], "websocket");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.body(), "the server speaks version 13 of the WebSocket protocol\n");
        assert_eq!(HandshakeError::Method.response().headers()["allow"], "GET");
        assert_eq!(HandshakeError::Key.response().status(), 400);
        assert_eq!(HandshakeError::Stopping.response().status(), 503);
    }

    const HANDSHAKE: &str = "GET /news HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    /// Sends a request, and reads the head of the reply.
    async fn ask(address: SocketAddr, request: &[u8]) -> (TcpStream, String) {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(request).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(peer.read_u8().await.unwrap().into());
        }
        (peer, head)
    }

    #[tokio::test]
    async fn a_request_becomes_a_client_of_the_engine() {
        let (hub, deliveries) = Hub::new([("/news", 8)]);
        let engine = Engine::start(deliveries, |_| crate::OnLag::default()).unwrap();
        let socket = listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let stopping = watch::Sender::new(None);
        let service = {
            let engine = engine.clone();
            move |mut request: http::Request<hyper::body::Incoming>, _| {
                let version = request.version();
                request.extensions_mut().insert(version);
                request.extensions_mut().insert(engine.clone());
                warp::service(filter("/news")).call(request)
            }
        };
        let serving = tokio::spawn(listener::serve(socket, None, service, stopping.subscribe()));

        // Who has seen the reply misses no message.
        let (mut peer, head) = ask(address, HANDSHAKE.as_bytes()).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let room = hub.channel("/news").unwrap().reserve().await.unwrap();
        room.send(Message::text("hi")).unwrap();
        let mut frame = [0; 4];
        peer.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, b"\x81\x02hi");

        // A ping right behind the handshake isn't lost.
        let hasty = [HANDSHAKE.as_bytes(), b"\x89\x82\0\0\0\0yo"].concat();
        let (mut hasty, head) = ask(address, &hasty).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        hasty.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, b"\x8a\x02yo");

        let (_, head) = ask(address, HANDSHAKE.replace(": 13", ": 7").as_bytes()).await;
        assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
        let (_, head) = ask(address, HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0").as_bytes()).await;
        assert!(head.starts_with("HTTP/1.0 400 "), "{head}");

        let deadline = Instant::now() + Duration::from_secs(3600);
        drop((peer, hasty));
        engine.stop(deadline).await;
        let (_, head) = ask(address, HANDSHAKE.as_bytes()).await;
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        stopping.send_replace(Some(deadline));
        serving.await.unwrap();
    }
}
