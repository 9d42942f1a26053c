//! Bodies that are read whole before the handler starts.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Argument, Body, content_type, not_compressed, wrong_content_type};
use crate::app::event::WebEvent;
use crate::base::error::EventError;
use crate::http::decode::{self, Received, bad_request, fields};

/// Takes a body of form fields.
pub fn form<T: Received>(_: PhantomData<T>) -> Whole<T, 1> {
    Whole { kinds: [Kind::FORM] }
}

/// Takes a body of JSON.
pub fn json<T: Received>(_: PhantomData<T>) -> Whole<T, 1> {
    Whole { kinds: [Kind::JSON] }
}

/// Takes a body of form fields or of JSON, depending on its content type.
pub fn data<T: Received>(_: PhantomData<T>) -> Whole<T, 2> {
    Whole { kinds: [Kind::FORM, Kind::JSON] }
}

/// Takes a body of any content type, unchanged.
pub fn body<T: FromBody>(_: PhantomData<T>) -> Raw<T> {
    Raw { make: T::from_body }
}

/// A body of one of several content types; made by [`form`], [`json`] and
/// [`data`].
#[derive(Debug)]
pub struct Whole<T, const KINDS: usize> {
    kinds: [Kind<T>; KINDS],
}

/// A content type and how its body is decoded.
#[derive(Debug)]
struct Kind<T> {
    content_type: &'static str,
    /// Checks the part after `application/`.
    fits: fn(&str) -> bool,
    make: fn(&[u8]) -> Result<T, EventError>,
}

impl<T: DeserializeOwned> Kind<T> {
    const FORM: Kind<T> = Kind {
        content_type: "application/x-www-form-urlencoded",
        fits: |subtype| subtype == "x-www-form-urlencoded",
        make: |body| fields("form", body),
    };

    const JSON: Kind<T> = Kind {
        content_type: "application/json",
        fits: |subtype| subtype == "json" || subtype.ends_with("+json"),
        make: |body| decode::json("json", body),
    };
}

impl<T: Send + 'static, const KINDS: usize> Argument for Whole<T, KINDS> {
    type Value = T;

    async fn take(&self, event: &WebEvent, body: &mut Body) -> Result<T, EventError> {
        let found = content_type(event);
        let subtype = found.strip_prefix("application/");
        let Some(kind) = self.kinds.iter().find(|kind| subtype.is_some_and(kind.fits)) else {
            let expected = self.kinds.each_ref().map(|kind| kind.content_type).join(" or ");
            return Err(wrong_content_type(&expected, &found));
        };
        not_compressed(event)?;
        (kind.make)(&body.read(event).await?)
    }
}

/// A body, unchanged; made by [`body`].
#[derive(Debug)]
pub struct Raw<T> {
    make: fn(Bytes) -> Result<T, EventError>,
}

impl<T: Send + 'static> Argument for Raw<T> {
    type Value = T;

    async fn take(&self, event: &WebEvent, body: &mut Body) -> Result<T, EventError> {
        (self.make)(body.read(event).await?)
    }
}

/// A type of the argument `body`: `Bytes`, `Vec<u8>`, or a `String`, which
/// requires UTF-8.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a whole body",
    label = "`body` is `Bytes`, `Vec<u8>` or `String`",
    note = "to have a type of yours made, take `form`, `json` or `data`"
)]
pub trait FromBody: Sized {
    /// Makes the value, or the error reply if the body doesn't fit.
    ///
    /// # Errors
    ///
    /// Status 400 with the reason.
    fn from_body(body: Bytes) -> Result<Self, EventError>;
}

impl FromBody for Bytes {
    fn from_body(body: Bytes) -> Result<Self, EventError> {
        Ok(body)
    }
}

impl FromBody for Vec<u8> {
    fn from_body(body: Bytes) -> Result<Self, EventError> {
        Ok(body.into())
    }
}

impl FromBody for String {
    fn from_body(body: Bytes) -> Result<Self, EventError> {
        String::from_utf8(body.into())
            .map_err(|_| bad_request("body: the text is not UTF-8".to_owned()))
    }
}
