//! Requests that two servers could read in two ways.
//!
//! If a proxy and this server disagree on where a request ends, the bytes in
//! between are a request that the proxy has never seen, and the next visitor
//! gets its response. So an ambiguous request is refused, or is the last of its
//! connection (RFC 9112, sections 3.2 and 6.1; RFC 9113, section 8.3.1).

use std::convert::Infallible;

use http::header::{CONNECTION, COOKIE, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, Request, StatusCode, Version};
use warp::Reply;
use warp::reply::Response;

use crate::http::exchange::ResponseRules;
use crate::http::response::sentence;

/// Answers a request, if it can be trusted to be the one that was meant.
pub(crate) async fn guarded<B>(
    request: Request<B>,
    answer: impl AsyncFnOnce(Request<B>) -> Result<Response, Infallible>,
) -> Result<Response, Infallible> {
    if let Some((status, text)) = refusal(&request) {
        let refused = last(sentence(status, text).into_response());
        return Ok(ResponseRules::of(&request).fit(refused));
    }
    // If there were a length and chunks, hyper uses the chunks and ends the
    // connection.
    answer(request).await
}

fn refusal<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    // In HTTP/1, hyper limits the headers.
    if request.version() == Version::HTTP_2 && count(headers) > MAX_HEADERS {
        Some((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "a request has at most 100 headers"))
    } else if !names_one_host(request) {
        Some((StatusCode::BAD_REQUEST, "a request names its host, once"))
    } else if headers.contains_key(TRANSFER_ENCODING) && !is_only_chunked(headers) {
        Some((StatusCode::NOT_IMPLEMENTED, "the only transfer coding here is `chunked`"))
    } else {
        None
    }
}

/// How many headers a request may have.
const MAX_HEADERS: usize = 100;

/// Counts headers; cookies, which HTTP/2 may send one by one, count as one.
fn count(headers: &HeaderMap) -> usize {
    headers.len() - headers.get_all(COOKIE).iter().skip(1).count()
}

/// Makes the connection end after a response.
fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn names_one_host<B>(request: &Request<B>) -> bool {
    let target = request.uri().authority();
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() || target.is_some_and(has_user) || !host.is_none_or(is_host) {
        return false;
    }
    match request.version() {
        Version::HTTP_2 => match (target, host) {
            (Some(target), Some(host)) => is_same(target, host),
            (target, host) => target.is_some() || host.is_some(),
        },
        Version::HTTP_11 => host.is_some(),
        // HTTP/1.0 has no hosts.
        _ => true,
    }
}

fn is_host(host: &HeaderValue) -> bool {
    // It is empty if the target of the request has no host.
    host.is_empty() || authority(host).is_some_and(|authority| !has_user(&authority))
}

fn has_user(authority: &Authority) -> bool {
    authority.as_str().contains('@')
}

/// Returns whether both are the same. Either may or may not name the port of
/// `https`: there is no HTTP/2 without TLS here.
fn is_same(target: &Authority, host: &HeaderValue) -> bool {
    let port = |authority: &Authority| authority.port_u16().unwrap_or(443);
    authority(host).is_some_and(|host| {
        host.host().eq_ignore_ascii_case(target.host()) && port(&host) == port(target)
    })
}

fn authority(host: &HeaderValue) -> Option<Authority> {
    host.to_str().ok()?.parse().ok()
}

fn is_only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next().map(|coding| coding.as_bytes());
    first.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) && codings.next().is_none()
}
