//! The response to a request, or to a handshake that is refused.

use bytes::Bytes;
use cookie::Cookie;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;

use super::json;
use super::patience::Patience;

/// A server's response, read to its end. Redirects aren't followed.
#[derive(Clone, Debug)]
pub struct Response {
    /// The method and the path of the request.
    pub(super) asked: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Response {
    /// Returns the status; it can be compared with a number.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the response, if it has this status.
    ///
    /// # Panics
    ///
    /// It has another status; the message shows the body.
    #[track_caller]
    pub fn assert_status(self, status: u16) -> Response {
        if self.status != status {
            let body = json::shown(&self.body);
            let (asked, got) = (&self.asked, self.status);
            panic!("expected status {status} for {asked}, got {got}: {body}");
        }
        self
    }

    /// Returns the first value of a header, if there is one that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns all headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns a cookie that the response sets.
    pub fn cookie(&self, name: &str) -> Option<Cookie<'_>> {
        let values = self.headers.get_all(SET_COOKIE).iter().map(HeaderValue::to_str);
        let cookies = values.flatten().flat_map(Cookie::parse_encoded);
        { cookies }.find(|cookie| cookie.name() == name)
    }

    /// Returns the body as text, without the line break at its end.
    ///
    /// # Panics
    ///
    /// It isn't UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text.trim_end_matches(['\r', '\n']),
            Err(error) => panic!("the body is no text: {error}"),
        }
    }

    /// Reads the body as JSON.
    ///
    /// # Panics
    ///
    /// It isn't JSON of this type; the message shows the body.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        json::read(&self.body, Patience::new(Default::default()))
    }

    /// Returns the body.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }
}
