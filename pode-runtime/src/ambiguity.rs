//! Requests that two servers could read in two ways.
//!
//! If a proxy finds the end of a request elsewhere than this server does, what
//! is between the two ends is a request that the proxy has never seen, and the
//! next visitor gets its answer. So whatever is ambiguous is refused, or is the
//! last of its connection (RFC 9112, sections 3.2 and 6.1).

use std::convert::Infallible;

use http::header::{CONNECTION, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, Request, StatusCode, Version};
use warp::Reply;
use warp::reply::Response;

use crate::reply::sentence;

/// Has a request answered, if it can be trusted to be the one that was meant.
pub(crate) async fn guarded<B>(
    request: Request<B>,
    answer: impl AsyncFnOnce(Request<B>) -> Result<Response, Infallible>,
) -> Result<Response, Infallible> {
    // HTTP/2 has other frames, and HTTP/1.0 neither chunks nor hosts.
    if request.version() != Version::HTTP_11 {
        return answer(request).await;
    }
    if let Some((status, text)) = refusal(request.headers()) {
        return Ok(last(sentence(status, text).into_response()));
    }
    // A length that stands beside it is gone when the request arrives here, so
    // each request with this header could have had one.
    let could_be_ambiguous = request.headers().contains_key(TRANSFER_ENCODING);
    let Ok(response) = answer(request).await;
    Ok(if could_be_ambiguous { last(response) } else { response })
}

fn refusal(headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    if !has_one_host(headers) {
        Some((StatusCode::BAD_REQUEST, "a request names its host, once"))
    } else if headers.contains_key(TRANSFER_ENCODING) && !is_only_chunked(headers) {
        Some((StatusCode::NOT_IMPLEMENTED, "the only transfer coding here is `chunked`"))
    } else {
        None
    }
}

/// Has the connection end with a response.
fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
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

fn is_only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next().map(|coding| coding.as_bytes());
    first.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) && codings.next().is_none()
}
