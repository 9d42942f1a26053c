//! Requests and responses in one form, whatever version of HTTP carries them.
//!
//! For responses, hyper takes care of some rules of HTTP in HTTP/1 only; for
//! requests, HTTP/2 puts some parts elsewhere. Here requests get one form for
//! handlers, and responses become valid for either version.

use http::header::{
    CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, StatusCode, Version};
use hyper::body::Body;
use warp::Reply;
use warp::reply::Response;

use crate::http::response::internal_error;
use bytes::Bytes;

/// Puts a request into its HTTP/1.1 form.
pub(crate) fn normalize<B>(request: &mut Request<B>) {
    // The host in the target takes precedence, and in HTTP/2 is the only one
    // (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1). In HTTP/1 a missing
    // or repeated `Host` remains an error.
    let host = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(host)) = host
        && (request.version() == Version::HTTP_2
            || request.headers().get_all(HOST).iter().count() == 1)
    {
        request.headers_mut().insert(HOST, host);
    }
    unite_cookies(request.headers_mut());
}

/// HTTP/2 may send each cookie by itself (RFC 9113, section 8.2.3).
fn unite_cookies(headers: &mut HeaderMap) {
    if headers.len() == headers.keys_len() {
        // No header has two lines.
        return;
    }
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() > 1
        && let Ok(cookies) = HeaderValue::from_bytes(&lines.join(&b"; "[..]))
    {
        headers.insert(COOKIE, cookies);
    }
}

/// The properties of a request on which its response depends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseRules {
    wants_head: bool,
    offers_upgrade: bool,
}

impl ResponseRules {
    pub(crate) fn of<B>(request: &Request<B>) -> ResponseRules {
        ResponseRules {
            wants_head: request.method() == Method::HEAD,
            offers_upgrade: request.headers().contains_key(UPGRADE),
        }
    }

    /// Replaces a response that is no answer by a 500: an interim one, or a
    /// change of protocols that the client didn't ask for.
    pub(crate) fn answered(self, response: Response) -> Response {
        let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS
            && self.offers_upgrade
            && response.headers().contains_key(UPGRADE);
        if response.status().is_informational() && !switches {
            let reason = format!("the status {} is no answer", response.status());
            return internal_error(&reason).into_response();
        }
        response
    }

    /// Makes a response's length that of its body, and removes a body that must
    /// not be sent.
    pub(crate) fn fit(self, mut response: Response) -> Response {
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return response;
        }
        let bytes = response.body().size_hint().exact();
        let headers = response.headers_mut();
        headers.remove(TRANSFER_ENCODING);
        // `TE` is a header of requests. In HTTP/2 the response would fail
        // because of it (RFC 9113, section 8.2.2), and hyper drops it only if
        // built with its client.
        headers.remove(TE);
        let has_content = !matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
        match bytes {
            _ if !has_content => {
                headers.remove(CONTENT_LENGTH);
            }
            // A handler that makes no body for HEAD may know its length.
            Some(0) if self.wants_head => {}
            Some(bytes) => {
                headers.insert(CONTENT_LENGTH, bytes.into());
            }
            None => {}
        }
        if self.wants_head || !has_content {
            return response.map(|_| Bytes::new().into());
        }
        response
    }
}
