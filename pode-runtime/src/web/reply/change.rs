//! Replies with another status, more headers, or cookies.

use cookie::Cookie;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, SET_COOKIE};

use super::Reply;
use crate::app::event::WebEvent;
use crate::http::response::{WholeResponse, internal_error};

/// A modified reply; made by the methods of [`Reply`].
#[derive(Clone, Debug)]
#[must_use = "a reply does nothing until it is returned from a handler"]
pub struct Changed<R> {
    reply: R,
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The first invalid header.
    wrong: Option<String>,
}

impl<R> Changed<R> {
    pub(super) fn new(reply: R) -> Self {
        Changed { reply, status: None, headers: Vec::new(), wrong: None }
    }

    /// Sets another status; see [`Reply::with_status`].
    pub fn with_status(mut self, status: u16) -> Self {
        self.status =
            Some(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        self
    }

    /// Adds a header; see [`Reply::with_header`].
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => self.headers.push((name, value)),
            _ => self.wrong = self.wrong.or(Some(format!("{name}: {value}"))),
        }
        self
    }

    /// Sets a cookie; see [`Reply::with_cookie`].
    pub fn with_cookie(self, cookie: Cookie<'_>) -> Self {
        self.with_header(SET_COOKIE.as_str(), &cookie.encoded().to_string())
    }
}

impl<R: Reply> Reply for Changed<R> {
    fn into_response(self, event: &WebEvent) -> WholeResponse {
        if let Some(wrong) = self.wrong {
            return internal_error(&format!("this can't be a header: {wrong:?}"));
        }
        let mut response = self.reply.into_response(event);
        if let Some(status) = self.status {
            *response.status_mut() = status;
        }
        for (name, value) in self.headers {
            // A response may set several cookies, and has one of every other
            // header.
            if name == SET_COOKIE {
                response.headers_mut().append(name, value);
            } else {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
