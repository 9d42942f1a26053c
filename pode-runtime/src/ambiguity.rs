//! Requests that two servers could read in two ways.
//!
//! If a proxy finds the end of a request elsewhere than this server does, what
//! is between the two ends is a request that the proxy has never seen, and the
//! next visitor gets its answer. So whatever is ambiguous is refused, or is the
//! last of its connection (RFC 9112, sections 3.2 and 6.1).

use http::header::{CONNECTION, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, Request, StatusCode, Version};
use warp::Reply;
use warp::reply::Response;

use crate::reply::sentence;

/// Answers a request that can't be trusted to be the one that was meant.
pub(crate) fn refusal<B>(request: &Request<B>) -> Option<Response> {
    // HTTP/2 has other frames, and HTTP/1.0 neither chunks nor hosts.
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let (status, text) = if !has_one_host(request.headers()) {
        (StatusCode::BAD_REQUEST, "a request names its host, once")
    } else if is_chunked(request.headers()) && !is_only_chunked(request.headers()) {
        (StatusCode::NOT_IMPLEMENTED, "the only transfer coding here is `chunked`")
    } else {
        return None;
    };
    let mut response = sentence(status, text).into_response();
    end_connection(&mut response);
    Some(response)
}

/// Tells whether a request's connection is to end with its answer: a length
/// that stands beside `Transfer-Encoding` is gone when the request arrives here,
/// so each request with that header could have had one.
pub(crate) fn ends_connection<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11 && is_chunked(request.headers())
}

/// Says so.
pub(crate) fn end_connection(response: &mut Response) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

fn has_one_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    // It is empty where the target of the request has none.
    let is_host = |host: &str| host.is_empty() || host.parse::<Authority>().is_ok_and(no_user);
    host.to_str().is_ok_and(is_host)
}

fn no_user(authority: Authority) -> bool {
    !authority.as_str().contains('@')
}

fn is_chunked(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
}

fn is_only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next().map(|coding| coding.as_bytes());
    first.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) && codings.next().is_none()
}
