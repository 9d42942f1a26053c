//! The client's side of the WebSocket handshake (RFC 6455, section 4.1).
//!
//! tungstenite writes the request. Its check of the response takes `Connection`
//! for one word, although it is a list, and doesn't look at extensions.

use http::header::{HeaderName, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use http::{StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::{Response, generate_request};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::http::handshake::is_upgrade;
use crate::net::upgraded::AnyStream;

/// How long the head of a response may be, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// A connection, with or without TLS.
pub(super) type Socket = WebSocketStream<Box<dyn AnyStream>>;

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("the handshake was answered with {status}")]
    Refused { status: StatusCode },

    #[error("the handshake was answered without `Connection: Upgrade` and `Upgrade: websocket`")]
    NotUpgraded,

    #[error("the handshake was answered with `{header}`, although nothing was offered")]
    NotOffered { header: HeaderName },

    #[error("the head of the answer has more than {MAX_HEAD_BYTES} bytes")]
    TooLong,

    #[error("the handshake failed")]
    Failed(#[from] WebSocketError),
}

/// Asks for a WebSocket at a URL, which the stream leads to.
pub(super) async fn shake_hands(
    url: &str,
    mut stream: Box<dyn AnyStream>,
    config: WebSocketConfig,
) -> Result<Socket, HandshakeError> {
    let (request, key) = generate_request(url.into_client_request()?)?;
    stream.write_all(&request).await.map_err(WebSocketError::from)?;
    stream.flush().await.map_err(WebSocketError::from)?;
    let (response, behind) = read_response(&mut stream).await?;
    check(&response, &derive_accept_key(key.as_bytes()))?;
    Ok(WebSocketStream::from_partially_read(stream, behind, Role::Client, Some(config)).await)
}

/// Reads the head of the final response, and what has come behind it.
async fn read_response(
    stream: &mut Box<dyn AnyStream>,
) -> Result<(Response, Vec<u8>), HandshakeError> {
    let mut head = Vec::new();
    loop {
        if let Some((length, response)) = Response::try_parse(&head)? {
            head.drain(..length);
            let status = response.status();
            if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                continue;
            }
            return Ok((response, head));
        }
        if head.len() > MAX_HEAD_BYTES {
            return Err(HandshakeError::TooLong);
        }
        if stream.read_buf(&mut head).await.map_err(WebSocketError::from)? == 0 {
            return Err(WebSocketError::from(ProtocolError::HandshakeIncomplete).into());
        }
    }
}

fn check(response: &Response, accept: &str) -> Result<(), HandshakeError> {
    let (status, headers) = (response.status(), response.headers());
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(HandshakeError::Refused { status });
    }
    if !is_upgrade(headers) {
        return Err(HandshakeError::NotUpgraded);
    }
    if headers.get(header::SEC_WEBSOCKET_ACCEPT).is_none_or(|value| value != accept) {
        return Err(WebSocketError::from(ProtocolError::SecWebSocketAcceptKeyMismatch).into());
    }
    for header in [SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL] {
        if headers.contains_key(&header) {
            return Err(HandshakeError::NotOffered { header });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// Shakes hands with a server that answers with this and its accept key.
    async fn answered(answer: &str) -> Result<Socket, HandshakeError> {
        let (near, mut far) = duplex(1 << 10);
        let server = async {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                far.read_buf(&mut request).await.unwrap();
            }
            let request = String::from_utf8(request).unwrap();
            let (_, key) = request.split_once("Sec-WebSocket-Key: ").unwrap();
            let accept = derive_accept_key(key.lines().next().unwrap().as_bytes());
            let answer = format!("{answer}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
            // Who refuses an answer may not read it to its end.
            let _ = far.write_all(answer.as_bytes()).await;
            drop(far);
        };
        let near: Box<dyn AnyStream> = Box::new(near);
        let client = shake_hands("ws://feed.example/", near, WebSocketConfig::default());
        tokio::join!(client, server).0
    }

    const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\n";

    #[tokio::test]
    async fn what_a_server_lists_beside_the_upgrade_does_not_matter() {
        for headers in [
            "Connection: Upgrade\r\nUpgrade: websocket",
            "connection: keep-alive, upgrade\r\nupgrade: WebSocket",
            "Connection: keep-alive\r\nConnection: ,UPGRADE\r\nUpgrade: h2c, websocket",
            "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\nServer: \u{e9}",
        ] {
            answered(&format!("{SWITCHING}{headers}")).await.expect(headers);
        }
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
        let headers = "Connection: Upgrade\r\nUpgrade: websocket";
        answered(&format!("{early}{SWITCHING}{headers}")).await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_breaks_the_rules_is_no_connection() {
        let upgrade = format!("{SWITCHING}Connection: Upgrade\r\nUpgrade: websocket\r\n");
        let not_upgraded =
            "the handshake was answered without `Connection: Upgrade` and `Upgrade: websocket`";
        for (answer, error) in [
            ("HTTP/1.1 403 Forbidden".into(), "the handshake was answered with 403 Forbidden"),
            (format!("{SWITCHING}Connection: close\r\nUpgrade: websocket"), not_upgraded),
            (format!("{SWITCHING}Connection: Upgrade\r\nUpgrade: websocket2"), not_upgraded),
            (format!("{SWITCHING}Upgrade: websocket"), not_upgraded),
            (
                format!("{upgrade}Sec-WebSocket-Extensions: permessage-deflate"),
                "the handshake was answered with `sec-websocket-extensions`, although nothing \
                 was offered",
            ),
            (
                format!("{upgrade}Sec-WebSocket-Protocol: chat"),
                "the handshake was answered with `sec-websocket-protocol`, although nothing was \
                 offered",
            ),
            (format!("{upgrade}Sec-WebSocket-Accept: b3RoZXI="), "the handshake failed"),
            (
                format!("{upgrade}A: {}", "a".repeat(2 * MAX_HEAD_BYTES)),
                "the head of the answer has more than 16384 bytes",
            ),
            ("no HTTP".into(), "the handshake failed"),
        ] {
            let Err(refused) = answered(&answer).await else { panic!("{answer}") };
            assert_eq!(refused.to_string(), error, "{answer}");
        }
    }
}
