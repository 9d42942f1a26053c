//! Replies: the values that handlers return. `change` adds a status, headers and
//! cookies to one, `file` sends a file.

mod change;
mod file;

use bytes::Bytes;
use cookie::Cookie;
use http::header::HeaderValue;
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use crate::base::error::with_causes;
pub use change::Changed;
pub(crate) use file::with_file;
pub use file::{File, file};

use crate::app::event::WebEvent;
use crate::base::error::EventError;
use crate::base::outcome::HandlerError;
#[cfg(feature = "views")]
pub use crate::content::view::{Variables, View, view};
pub use crate::http::response::WholeResponse;
use crate::http::response::{
    empty, internal_error, redirection, sentence, typed, unsniffed, whole,
};

/// What a handler may return.
///
/// `()` is an empty 204, and a browser stays on its page. An [`EventError`]
/// becomes its status and text; any other error is logged and becomes a bare
/// 500.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reply",
    label = "a handler can't return this",
    note = "replies are a struct that derives `View`, `view(..)`, `html(..)`, `json(..)`, `text(..)`, `bytes(..)`, `redirect(..)`, `status(..)`, \
            `file(..).await`, an `http::Response`, `()`, or a `Result` of these",
    note = "a `send` is done by its `.await`"
)]
pub trait Reply {
    /// Makes the response to this request.
    fn into_response(self, event: &WebEvent) -> WholeResponse;

    /// Sets another status. A number outside 200 to 999 becomes a 500. With
    /// 204, 205 and 304 no body is sent.
    ///
    /// ```
    /// # use pode_runtime as pode;
    /// use pode::reply::{Reply, text};
    ///
    /// let created = text("made").with_status(201).with_header("location", "/things/7");
    /// ```
    fn with_status(self, status: u16) -> Changed<Self>
    where
        Self: Sized,
    {
        Changed::new(self).with_status(status)
    }

    /// Adds a header, or replaces its value. An invalid header is logged and
    /// becomes a 500. The server itself sets the headers for the body's length
    /// and transfer.
    fn with_header(self, name: &str, value: &str) -> Changed<Self>
    where
        Self: Sized,
    {
        Changed::new(self).with_header(name, value)
    }

    /// Sets a cookie in the browser.
    fn with_cookie(self, cookie: Cookie<'_>) -> Changed<Self>
    where
        Self: Sized,
    {
        Changed::new(self).with_cookie(cookie)
    }
}

/// Answers with a value as JSON.
///
/// A value without a JSON form is logged and becomes a 500.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Json {
    let body = serde_json::to_vec(value);
    let body = body.map_err(|error| format!("the reply has no JSON form: {error}"));
    let content_type = const { HeaderValue::from_static("application/json") };
    Json(body.map(|body| whole(StatusCode::OK, content_type, body.into())))
}

/// Answers with plain text.
pub fn text(text: impl Into<String>) -> Text {
    let content_type = const { HeaderValue::from_static("text/plain; charset=utf-8") };
    Text(Ok(whole(StatusCode::OK, content_type, text.into().into())))
}

/// Answers with HTML as it is. Nothing in it is escaped, and no
/// Content-Security-Policy is added, unlike for views.
pub fn html(html: impl Into<String>) -> Text {
    let content_type = const { HeaderValue::from_static("text/html; charset=utf-8") };
    Text(Ok(whole(StatusCode::OK, content_type, html.into().into())))
}

/// Answers with bytes, unchanged.
///
/// A content type that isn't valid in a header becomes `application/octet-stream`.
/// A content type from an untrusted source may be `text/html`: browsers then run its scripts with
/// the rights of this server's pages, unless a header such as
/// `Content-Security-Policy: sandbox` removes them.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::reply::bytes;
///
/// let picture = bytes("image/gif", &b"GIF89a"[..]);
/// ```
pub fn bytes(content_type: impl Into<String>, body: impl Into<Bytes>) -> Raw {
    Raw(Ok(typed(&content_type.into(), body.into())))
}

/// Redirects the browser to another address, by GET (303 See Other).
///
/// Spaces and other characters that no address holds, such as `ü`, are encoded; all
/// others are left, so `/`, `?`, `#` and `%` in a part of it are for the handler to
/// encode. One that a request names, such as `?next=…`,
/// leads wherever the request's author wants, unless the handler checks it.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::reply::redirect;
///
/// let to_the_shop = redirect("/shop?from=here");
/// ```
pub fn redirect(target: impl Into<String>) -> Redirect {
    let target = utf8_percent_encode(&target.into(), NO_ADDRESS).to_string();
    // What is left is visible ASCII.
    let location = HeaderValue::try_from(target).map_err(|error| error.to_string());
    Redirect(location.map(|location| redirection(StatusCode::SEE_OTHER, location)))
}

/// What stands in no address (RFC 3986, section 2), besides what isn't ASCII.
const NO_ADDRESS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Answers with a status and no body. A number outside 200 to 999 becomes a
/// 500.
pub fn status(status: u16) -> Status {
    Status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Defines replies that are a response by themselves, or the reason for the log
/// why there is none.
macro_rules! ready_replies {
    ($($(#[$doc:meta])* $Name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[must_use = "a reply does nothing until it is returned from a handler"]
        pub struct $Name(Result<WholeResponse, String>);

        impl Reply for $Name {
            fn into_response(self, _event: &WebEvent) -> WholeResponse {
                self.0.unwrap_or_else(|reason| internal_error(&reason))
            }
        }
    )*};
}

ready_replies! {
    /// A value as JSON; made by [`json`].
    Json;
    /// A text; made by [`text`] or [`html`].
    Text;
    /// Bytes with their content type; made by [`bytes()`].
    Raw;
    /// A redirect to another address; made by [`redirect`].
    Redirect;
}

/// A bare status; made by [`status`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a reply does nothing until it is returned from a handler"]
pub struct Status(StatusCode);

impl Reply for () {
    fn into_response(self, _event: &WebEvent) -> WholeResponse {
        empty(StatusCode::NO_CONTENT)
    }
}

impl Reply for Status {
    fn into_response(self, _event: &WebEvent) -> WholeResponse {
        empty(self.0)
    }
}

impl<B: Into<Bytes>> Reply for Response<B> {
    fn into_response(self, _event: &WebEvent) -> WholeResponse {
        unsniffed(self.map(Into::into))
    }
}

impl Reply for EventError {
    fn into_response(self, _event: &WebEvent) -> WholeResponse {
        sentence(self.status(), &self.to_string())
    }
}

impl<T, E> Reply for Result<T, E>
where
    T: Reply,
    E: HandlerError,
{
    fn into_response(self, event: &WebEvent) -> WholeResponse {
        match self {
            Ok(reply) => reply.into_response(event),
            Err(error) => match error.into().downcast::<EventError>() {
                Ok(error) => error.into_response(event),
                Err(error) => internal_error(&with_causes(&*error)),
            },
        }
    }
}
