//! Responses whose bodies are in memory.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::base::log::ration::{Quoted, rationed};
use crate::base::one_line::OneLine;

/// A response whose body is in memory.
pub type WholeResponse = Response<Bytes>;

/// The message of an error, in the extensions of its response: an error page
/// shows it instead, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Sentence(pub(crate) String);

/// A plain sentence for the client that sent the request.
pub(crate) fn sentence(status: StatusCode, text: &str) -> WholeResponse {
    tracing::debug!("{}: {}", status.as_u16(), OneLine(text));
    let content_type = const { HeaderValue::from_static("text/plain; charset=utf-8") };
    let mut response = whole(status, content_type, format!("{text}\n").into());
    response.extensions_mut().insert(Sentence(text.to_owned()));
    response
}

/// A 500 that reveals nothing internal; the reason is logged, in the span of
/// its request.
pub(crate) fn internal_error(reason: &str) -> WholeResponse {
    tracing::error!("{}", OneLine(reason));
    sentence(StatusCode::INTERNAL_SERVER_ERROR, "the server could not answer this request")
}

pub(crate) fn empty(status: StatusCode) -> WholeResponse {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Sends the client to another address. The length stands here since a HEAD
/// gets it, too.
pub(crate) fn redirection(status: StatusCode, location: HeaderValue) -> WholeResponse {
    let mut response = empty(status);
    response.headers_mut().extend([(LOCATION, location), (CONTENT_LENGTH, 0.into())]);
    response
}

pub(crate) fn whole(status: StatusCode, content_type: HeaderValue, body: Bytes) -> WholeResponse {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    unsniffed(response)
}

/// Tells browsers to take the content type as it is, unless a header says something
/// of that: they would run as a page what looks like one.
pub(crate) fn unsniffed(mut response: WholeResponse) -> WholeResponse {
    let nosniff = const { HeaderValue::from_static("nosniff") };
    response.headers_mut().entry(X_CONTENT_TYPE_OPTIONS).or_insert(nosniff);
    response
}

/// Sends bytes of any content type; one that isn't valid in a header becomes
/// `application/octet-stream`.
pub(crate) fn typed(content_type: &str, body: Bytes) -> WholeResponse {
    let content_type = HeaderValue::from_str(content_type).unwrap_or_else(|_| {
        let quoted = Quoted(content_type.as_bytes());
        rationed!(
            warn,
            "{quoted:?} is no content type, so the reply is `application/octet-stream`"
        );
        const { HeaderValue::from_static("application/octet-stream") }
    });
    whole(StatusCode::OK, content_type, body)
}

/// RFC 6266: the name in a form that holds any character, and for clients that
/// don't read it (curl) in another, where what it can't hold is `_`.
pub(crate) fn attachment(name: &str) -> HeaderValue {
    let is_plain = |letter: char| letter == ' ' || letter.is_ascii_graphic();
    let plain = |letter| if is_plain(letter) && !"\"\\%".contains(letter) { letter } else { '_' };
    let plain: String = name.chars().map(plain).collect();
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    HeaderValue::try_from(format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{name}"))
        .expect("percent-encoded text is ASCII that can be seen")
}

/// Returns the content type of a file with that name.
pub(crate) fn content_type(name: &str) -> String {
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let is_text =
        mime.type_() == "text" || matches!(mime.subtype().as_str(), "javascript" | "json");
    if is_text { format!("{mime}; charset=utf-8") } else { mime.to_string() }
}
