//! Event streams (HTML Standard, section 9.2): responses that go on for as long as their
//! client listens.
//!
//! In HTTP/1 the connection leaves HTTP, as after an upgrade, and ends with the response: so
//! its messages cost what those of a WebSocket cost. Else the response has a body, which is
//! the other end of a pipe.

use std::future::ready;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use headers::{Date, HeaderMapExt};
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL,
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Response};
use tokio::io::duplex;
use tokio::sync::oneshot;
use tokio_util::io::ReaderStream;
use warp::Reply;

use crate::base::random::chance;
use crate::http::activity::{Activity, Departure};
use crate::http::handshake::is_upgrade;
use crate::http::header::elements;
use crate::net::upgraded::{Stream, UpgradedConnection};

/// After how many milliseconds a browser comes back that is cut off: each after another
/// time, so that they don't come all at once.
const RETRY_MS: Range<u64> = 1_000..3_000;

/// How many bytes wait at most in the pipe to a response with a body.
const PIPE_BYTES: usize = 16 << 10;

/// Nginx would else keep events back until it has some kilobytes of them.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Returns whether a request asks for an event stream.
pub(crate) fn is_asked(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET && is_accepted(headers) && !is_upgrade(headers)
}

/// Returns whether a client names event streams among what it takes.
fn is_accepted(headers: &HeaderMap) -> bool {
    elements(headers, ACCEPT, b',').any(|kind| {
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
    })
}

/// How a connection of HTTP/1 leaves HTTP with a response, in its extensions.
#[derive(Clone)]
pub(crate) struct Leaving(Arc<Mutex<Option<oneshot::Sender<UpgradedConnection>>>>);

impl Leaving {
    /// Takes it from a response.
    pub(crate) fn of<B>(response: &mut Response<B>) -> Option<Leaving> {
        response.extensions_mut().remove()
    }

    /// Has the connection leave HTTP; its client gets the head of this response first.
    pub(crate) fn depart<B>(self, response: &Response<B>, activity: &Activity) {
        // Nothing panics while it is locked.
        let to = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(to) = to {
            activity.depart(Departure { owed: head_of(response).into(), to });
        }
    }
}

/// Begins an event stream for a request: returns the response, and what resolves to the
/// connection on which it goes on, or to `None` if the client is gone. One of HTTP/1
/// `leaves` HTTP for it, and ends with it. A page of this origin may read it.
pub(crate) fn begin(
    origin: Option<&HeaderValue>,
    leaves: bool,
) -> (warp::reply::Response, BoxFuture<'static, Option<UpgradedConnection>>) {
    let (mut response, opening) = match leaves {
        true => {
            let (to, connection) = oneshot::channel();
            let mut response = Response::new(Bytes::new()).into_response();
            response.extensions_mut().insert(Leaving(Arc::new(Mutex::new(Some(to)))));
            (response, async { connection.await.ok() }.boxed())
        }
        false => {
            let (ours, theirs) = duplex(PIPE_BYTES);
            let response = warp::reply::stream(ReaderStream::new(theirs)).into_response();
            let stream = Stream::Other(Box::new(ours));
            let (read, owed) = (Bytes::new(), Bytes::new());
            let connection = UpgradedConnection { stream, read, owed, permit: None };
            (response, ready(Some(connection)).boxed())
        }
    };
    let headers = response.headers_mut();
    let fixed = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (ACCEL_BUFFERING, "no"),
        (VARY, "Accept, Origin"),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    allow(origin, headers);
    let more = chance() * (RETRY_MS.end - RETRY_MS.start) as f64;
    let retry = format!("retry: {}\n\n", RETRY_MS.start + more as u64);
    let opening = opening.map(move |connection| {
        let connection = connection?;
        let owed = [&connection.owed, retry.as_bytes()].concat().into();
        Some(UpgradedConnection { owed, ..connection })
    });
    (response, opening.boxed())
}

/// Lets a page of another origin read a response, which was admitted before.
pub(crate) fn allow(origin: Option<&HeaderValue>, response: &mut HeaderMap) {
    if let Some(origin) = origin {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Returns the head of a response that ends with its connection.
fn head_of<B>(response: &Response<B>) -> Vec<u8> {
    let mut headers = response.headers().clone();
    // That of its empty body.
    headers.remove(CONTENT_LENGTH);
    headers.typed_insert(Date::from(SystemTime::now()));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut head = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in &headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_event_streams_gets_one() {
        for (accept, expected) in [
            ("text/event-stream", true),
            ("text/html, Text/Event-Stream;q=0.5", true),
            ("*/*", false),
            ("text/event-streams", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(is_asked(&Method::GET, &headers), expected, "{accept}");
            assert!(!is_asked(&Method::POST, &headers));
        }
    }
}
