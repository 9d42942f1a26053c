//! The WebSocket handshake (RFC 6455, section 4.2), as plain functions over
//! headers.
//!
//! Extensions that a client offers are not taken up; a subprotocol is, if the
//! handler of `on connect` chooses one.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use headers::{HeaderMapExt, SecWebsocketAccept, SecWebsocketKey};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};

use crate::http::header::elements;
use crate::http::response::sentence;

/// Returns whether a request asks for a WebSocket.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    // Most requests haven't even the header.
    headers.contains_key(header::UPGRADE)
        && has_token(headers, header::UPGRADE, "websocket")
        && has_token(headers, header::CONNECTION, "upgrade")
}

/// A handshake that may be answered with 101.
#[derive(Clone, Debug)]
pub(crate) struct AcceptedHandshake {
    accept: SecWebsocketAccept,
}

/// Why a handshake is refused; the messages are for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("a WebSocket handshake is a GET request")]
    Method,
    #[error("a WebSocket handshake needs HTTP/1.1")]
    HttpVersion,
    #[error("a WebSocket handshake says `Connection: Upgrade` and `Upgrade: websocket`")]
    NotAsked,
    #[error("a WebSocket handshake needs one Host")]
    Host,
    /// The bytes of a body could be taken for the client's first frames.
    #[error("a WebSocket handshake has no body")]
    Body,
    #[error("the server speaks version 13 of the WebSocket protocol")]
    Version,
    #[error("a WebSocket handshake needs one Sec-WebSocket-Key: 16 bytes in base64")]
    Key,
    /// Checked after the rules that make the request a handshake at all.
    #[error("pages of this origin may not connect here")]
    Origin,
    #[error("the limit of clients is reached; try again later")]
    Full,
    #[error("too many clients are connected from your address")]
    FullForAddress,
    #[error("the server is overloaded; try again later")]
    Busy,
    #[error("this server is behind the one that you come from; try again later")]
    Behind,
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
) -> Result<AcceptedHandshake, HandshakeError> {
    // HEAD is refused as GET would be (RFC 9110, section 9.3.2).
    if method != Method::GET && method != Method::HEAD {
        return Err(HandshakeError::Method);
    }
    if version != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    if !is_upgrade(headers) {
        return Err(HandshakeError::NotAsked);
    }
    if single(headers, header::HOST).is_none_or(HeaderValue::is_empty) {
        return Err(HandshakeError::Host);
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
    if method == Method::HEAD {
        return Err(HandshakeError::Method);
    }
    let key = headers.typed_get::<SecWebsocketKey>().ok_or(HandshakeError::Key)?;
    Ok(AcceptedHandshake { accept: key.into() })
}

impl AcceptedHandshake {
    /// Makes the response after which the connection is a WebSocket. If a
    /// subprotocol was chosen from the client's offers, the connection speaks
    /// it.
    pub(crate) fn response(self, protocol: Option<&str>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.typed_insert(self.accept);
        if let Some(protocol) = protocol.and_then(|name| HeaderValue::from_str(name).ok()) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

impl HandshakeError {
    /// Makes the response that says what is wrong.
    pub(crate) fn response(self) -> Response<Bytes> {
        let status = match self {
            HandshakeError::Method => StatusCode::METHOD_NOT_ALLOWED,
            HandshakeError::HttpVersion
            | HandshakeError::Host
            | HandshakeError::Body
            | HandshakeError::Key => StatusCode::BAD_REQUEST,
            HandshakeError::NotAsked | HandshakeError::Version => StatusCode::UPGRADE_REQUIRED,
            HandshakeError::Origin => StatusCode::FORBIDDEN,
            HandshakeError::FullForAddress => StatusCode::TOO_MANY_REQUESTS,
            HandshakeError::Full
            | HandshakeError::Busy
            | HandshakeError::Behind
            | HandshakeError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
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
            // A 426 response names the protocol (RFC 9110, section 15.5.22).
            hint(header::CONNECTION, "Upgrade");
            hint(header::UPGRADE, "websocket");
        }
        response
    }
}

/// Looks for a token in a comma-separated header, which may have several lines.
/// Case doesn't matter.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    elements(headers, name, b',').any(|item| item.eq_ignore_ascii_case(token.as_bytes()))
}

/// Returns the value of a header that is present exactly once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

/// Returns whether this is the base64 form of 16 bytes.
///
/// The last digit stands for two bits and may hold more, as in the standard's
/// own example.
fn is_key(value: &HeaderValue) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    value
        .as_bytes()
        .strip_suffix(b"==")
        .is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_digit))
}
