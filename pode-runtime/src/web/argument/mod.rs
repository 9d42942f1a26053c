//! Arguments: parts of a request, made into what a handler takes.
//!
//! `body` reads bodies whole, `multipart` forms with files; `framing` finds their
//! parts, `disposition` the names of a part. The function that makes a value is
//! kept, so that only constructors require its type to be readable: a type that
//! isn't is reported once, where it stands.

mod body;
#[cfg(feature = "multipart")]
mod disposition;
#[cfg(feature = "multipart")]
mod framing;
#[cfg(feature = "multipart")]
mod multipart;

use std::fmt::Display;
use std::marker::PhantomData;
use std::pin::Pin;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};

pub use body::{FromBody, body, data, form, json};
#[cfg(feature = "multipart")]
pub use multipart::{Multipart, Part, multipart};

use crate::app::event::WebEvent;
use crate::base::debug_form::debug_form;
use crate::base::error::EventError;
use crate::base::limits::BodyLimits;
use crate::http::body_timeout::BodyTooSlow;
use crate::http::decode::{Received, bad_request, fields};
use crate::http::header;

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// A part of a request that a handler takes as an argument.
pub trait Argument: Send + Sync + 'static {
    /// The type that the handler gets.
    type Value: Send;

    /// Makes the value, or the error reply if the request doesn't fit.
    fn take(
        &self,
        event: &WebEvent,
        body: &mut Body,
    ) -> impl Future<Output = Result<Self::Value, EventError>> + Send;
}

/// The body of a request, read at most once.
pub struct Body {
    pub(crate) chunks: Chunks,
    pub(crate) limits: BodyLimits,
}

/// Takes the path parameter of this name.
pub fn path<T: FromSegment>(name: &'static str, _: PhantomData<T>) -> Path<T> {
    Path { name, make: T::from_segment }
}

/// Takes the place of an argument that is a mistake, whose type may then be any.
pub fn mistaken<T>(_: PhantomData<T>) -> Query<T> {
    Query { make: |_| Err(bad_request("this argument is a mistake".to_owned())) }
}

/// A type that is made of a part of a path.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be made of a part of a path",
    label = "`{Self}` is not parsed from a text",
    note = "implement `FromStr` for it, or take a `String` or a number; \
            what stands elsewhere in a request is taken as `query`, `form` or `json`",
    note = "a part of a path is always there; what may be missing is a field of a `query`"
)]
pub trait FromSegment: Sized {
    /// Makes the value, or says what is wrong with the text.
    ///
    /// # Errors
    ///
    /// The sentence of its `FromStr`.
    fn from_segment(written: &str) -> Result<Self, String>;
}

#[diagnostic::do_not_recommend]
impl<T: FromStr<Err: Display>> FromSegment for T {
    fn from_segment(written: &str) -> Result<T, String> {
        written.parse().map_err(|error: T::Err| error.to_string())
    }
}

/// Takes the key-value pairs of the query.
pub fn query<T: Received>(_: PhantomData<T>) -> Query<T> {
    Query { make: |written| fields("query", written) }
}

/// A path parameter; made by [`path`].
#[derive(Debug)]
pub struct Path<T> {
    name: &'static str,
    make: fn(&str) -> Result<T, String>,
}

/// The query; made by [`query`].
#[derive(Debug)]
pub struct Query<T> {
    make: fn(&[u8]) -> Result<T, EventError>,
}

impl<T: Send + 'static> Argument for Path<T> {
    type Value = T;

    async fn take(&self, event: &WebEvent, _body: &mut Body) -> Result<T, EventError> {
        let written = event.parameter(self.name).unwrap_or_default();
        (self.make)(written)
            .map_err(|error| bad_request(format!("path parameter `{}`: {error}", self.name)))
    }
}

impl<T: Send + 'static> Argument for Query<T> {
    type Value = T;

    async fn take(&self, event: &WebEvent, _body: &mut Body) -> Result<T, EventError> {
        (self.make)(event.query().as_bytes())
    }
}

impl Body {
    /// Reads all of it, up to `max_body_bytes`.
    async fn read(&mut self, event: &WebEvent) -> Result<Bytes, EventError> {
        let max_bytes = self.limits.max_body_bytes;
        announced_within(max_bytes, event)?;
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunks.next().await {
            let chunk = chunk.map_err(|error| interrupted(&error))?;
            if whole.len() + chunk.len() > max_bytes {
                return Err(too_long(max_bytes));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

debug_form!(Body, |_| {});

/// Refuses a body whose `Content-Length` is too large.
fn announced_within(max_bytes: usize, event: &WebEvent) -> Result<(), EventError> {
    let length =
        event.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > max_bytes) {
        return Err(too_long(max_bytes));
    }
    Ok(())
}

/// Refuses a body that would have to be decompressed: a small body could then
/// expand without limit.
fn not_compressed(event: &WebEvent) -> Result<(), EventError> {
    let mut codings = event.headers().get_all(CONTENT_ENCODING).into_iter();
    match codings.find(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        None => Ok(()),
        Some(coding) => {
            let text = format!("the body must not be compressed; found {coding:?}");
            Err(EventError::new(415, text))
        }
    }
}

/// Makes the error reply for a body that fails on its way.
fn interrupted(error: &(dyn std::error::Error + 'static)) -> EventError {
    if BodyTooSlow::is_cause_of(error) {
        return EventError::new(408, "the body comes too slowly");
    }
    EventError::new(400, "the body ended early or is malformed")
}

fn too_long(max_bytes: usize) -> EventError {
    EventError::new(413, format!("the body is longer than {max_bytes} bytes"))
}

/// The content type of the body without its parameters, in lower case; empty
/// if there is none.
fn content_type(event: &WebEvent) -> String {
    let written = header::elements(event.headers(), CONTENT_TYPE, b';').next();
    str::from_utf8(written.unwrap_or_default()).unwrap_or_default().to_ascii_lowercase()
}

fn wrong_content_type(expected: &str, found: &str) -> EventError {
    let found = if found.is_empty() { "none".to_owned() } else { format!("{found:?}") };
    EventError::new(415, format!("the content type must be {expected}; found {found}"))
}
