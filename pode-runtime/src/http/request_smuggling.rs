//! Requests that two servers could read in two ways.
//!
//! If a proxy and this server disagree on where a request ends, the bytes in
//! between are a request that the proxy has never seen, and the next visitor
//! gets its response. So an ambiguous request is refused, or is the last of its
//! connection (RFC 9112, sections 3.2 and 6.1; RFC 9113, section 8.3.1).

use http::header::{CONNECTION, COOKIE, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, Request, StatusCode, Version};
use warp::Reply;
use warp::reply::Response;

use crate::http::exchange::ResponseRules;
use crate::http::response::sentence;

/// Returns the answer to a request that can't be trusted to be the one that was
/// meant.
pub(crate) fn refused<B>(request: &Request<B>) -> Option<Response> {
    // If there were a length and chunks, hyper uses the chunks and ends the
    // connection.
    let (status, text) = refusal(request)?;
    let refused = last(sentence(status, text).into_response());
    Some(ResponseRules::of(request).fit(refused))
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

/// Returns whether it is a name or an address, and a port in digits if any
/// (RFC 3986, section 3.2.2), without a user.
fn is_host(host: &HeaderValue) -> bool {
    let host = host.as_bytes();
    // A colon within brackets belongs to an address.
    let colon = host.iter().rposition(|byte| *byte == b':');
    let colon = colon.filter(|colon| !host[*colon..].contains(&b']'));
    let (name, port) = host.split_at(colon.unwrap_or(host.len()));
    let in_brackets = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
    let is_named = match in_brackets {
        Some(address) => {
            !address.is_empty() && address.iter().all(|byte| *byte == b':' || may_name(*byte))
        }
        None => name.iter().copied().all(may_name),
    };
    // It is empty if the target of the request has no host.
    is_named && name.is_empty() == host.is_empty() && port.iter().skip(1).all(u8::is_ascii_digit)
}

fn may_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$'..=b',' | b';' | b'=')
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_a_port() {
        let is_host = |text: &str| is_host(&HeaderValue::from_bytes(text.as_bytes()).unwrap());
        for good in [
            "",
            "a",
            "a_b.example",
            "example.com:8080",
            "example.com:",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8080",
            "[fe80::1%25eth0]",
            "stra%C3%9Fe.example",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            ":", ":80", "a:b", "a:80:90", "a:-1", "::1", "[::1", "::1]", "[::1]x", "[::1]:x",
            "[[::1]]", "[]", "a b", "a/b", "a?b", "a#b", "a\\b", "user@a", "straße", "a,b:x",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
