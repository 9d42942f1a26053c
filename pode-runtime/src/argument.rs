//! Arguments: parts of a request, made into what a handler takes.

use std::fmt::Display;
use std::marker::PhantomData;
use std::pin::Pin;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::DeserializeOwned;

use crate::{EventError, WebEvent};

/// The most that is read of a body, in bytes: 1 MiB. A longer one is answered
/// with 413.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// A part of a request that a handler takes.
pub trait Argument: Send + Sync + 'static {
    /// What the handler gets.
    type Value: Send;

    /// Makes the value, or the answer to a request that it can't be made of.
    fn take(
        &self,
        event: &WebEvent,
        body: &mut Body,
    ) -> impl Future<Output = Result<Self::Value, EventError>> + Send;
}

/// The body of a request, read at most once.
pub struct Body {
    pub(crate) chunks: Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>,
}

// What makes a value is kept as a function: then only these ask whether its
// type can be made, and a type that can't is reported once, where it stands.

/// Takes a path parameter of that name.
pub fn path<T: FromStr<Err: Display>>(name: &'static str, _: PhantomData<T>) -> Path<T> {
    Path { name, make: |written| written.parse().map_err(|error: T::Err| error.to_string()) }
}

/// Takes the pairs behind the `?`.
pub fn query<T: DeserializeOwned>(_: PhantomData<T>) -> Query<T> {
    Query { make: |written| fields("query", written) }
}

/// Takes a body of form fields.
pub fn form<T: DeserializeOwned>(_: PhantomData<T>) -> Whole<T> {
    Whole {
        content_type: "application/x-www-form-urlencoded",
        fits: |subtype| subtype == "x-www-form-urlencoded",
        make: |body| fields("form", body),
    }
}

/// Takes a body of JSON.
pub fn json<T: DeserializeOwned>(_: PhantomData<T>) -> Whole<T> {
    Whole {
        content_type: "application/json",
        fits: |subtype| subtype == "json" || subtype.ends_with("+json"),
        make: |body| {
            let mut json = serde_json::Deserializer::from_slice(body);
            let value = serde_path_to_error::deserialize(&mut json)
                .map_err(|error| at_field("json", &error))?;
            json.end().map_err(|error| bad_request(format!("json: {error}")))?;
            Ok(value)
        },
    }
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

/// A whole body of one content type; made by [`form`] and [`json`].
#[derive(Debug)]
pub struct Whole<T> {
    content_type: &'static str,
    /// Judges what stands behind `application/`, in lower case.
    fits: fn(&str) -> bool,
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

impl<T: Send + 'static> Argument for Whole<T> {
    type Value = T;

    async fn take(&self, event: &WebEvent, body: &mut Body) -> Result<T, EventError> {
        let written =
            event.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let found = written.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        if !found.strip_prefix("application/").is_some_and(self.fits) {
            let found = if found.is_empty() { "none".to_owned() } else { format!("{found:?}") };
            let expected = self.content_type;
            return Err(EventError::new(
                415,
                format!("the content type must be {expected}; found {found}"),
            ));
        }
        (self.make)(&body.read(event).await?)
    }
}

impl Body {
    /// Reads all of it, up to [`MAX_BODY_BYTES`].
    async fn read(&mut self, event: &WebEvent) -> Result<Bytes, EventError> {
        let too_long =
            || EventError::new(413, format!("the body is longer than {MAX_BODY_BYTES} bytes"));
        let announced = event
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > MAX_BODY_BYTES) {
            return Err(too_long());
        }
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunks.next().await {
            let chunk =
                chunk.map_err(|_| EventError::new(400, "the body ended early or is malformed"))?;
            if whole.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(too_long());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// Reads pairs of names and values, as queries and forms have them.
fn fields<T: DeserializeOwned>(source: &str, written: &[u8]) -> Result<T, EventError> {
    let fields = serde_html_form::Deserializer::from_bytes(written);
    serde_path_to_error::deserialize(fields).map_err(|error| at_field(source, &error))
}

/// Names the field that is wrong, unless serde's own sentence does.
fn at_field<E: Display>(source: &str, error: &serde_path_to_error::Error<E>) -> EventError {
    let field = error.path().to_string();
    if field == "." {
        return bad_request(format!("{source}: {}", error.inner()));
    }
    bad_request(format!("{source}: field `{field}`: {}", error.inner()))
}

fn bad_request(text: String) -> EventError {
    EventError::new(400, text)
}
