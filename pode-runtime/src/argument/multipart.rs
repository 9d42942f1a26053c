//! Bodies in parts, as forms with files send them (RFC 7578): read as they
//! come, part by part.

use std::marker::PhantomData;

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use multer::{Constraints, SizeLimit};

use super::{
    Argument, Body, announced_within, content_type, not_compressed, too_long, too_slow,
    wrong_content_type,
};
use crate::error::EventError;
use crate::event::WebEvent;
use crate::header::{elements_of, texts};

/// Takes a body of type `multipart/form-data`.
pub fn multipart(_: PhantomData<Multipart>) -> TakesMultipart {
    TakesMultipart
}

/// A body in parts; made by [`multipart`].
#[derive(Debug)]
pub struct TakesMultipart;

/// The parts of a form with files, in the order they were sent.
///
/// They are read as they come: the next part is asked for when the one before
/// was read, or is dropped. Together they have at most as many bytes as the
/// `max_upload_bytes` of [`Limits`](crate::limits::Limits) say: 64 MiB by default.
///
/// ```
/// use pode_runtime::argument::Multipart;
/// use pode_runtime::{EventError, WebEvent};
///
/// async fn upload(_: WebEvent, mut form: Multipart) -> Result<(), EventError> {
///     while let Some(part) = form.next().await? {
///         let name = part.file_name().unwrap_or("a field").to_owned();
///         println!("{name} has {} bytes", part.bytes().await?.len());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Multipart {
    parts: multer::Multipart<'static>,
    max_bytes: usize,
}

/// One part of a form: a field or a file.
#[derive(Debug)]
pub struct Part {
    field: multer::Field<'static>,
    /// Its name, if it is a file.
    file_name: Option<String>,
    max_bytes: usize,
}

impl Argument for TakesMultipart {
    type Value = Multipart;

    async fn take(&self, event: &WebEvent, body: &mut Body) -> Result<Multipart, EventError> {
        let found = content_type(event);
        if found != "multipart/form-data" {
            return Err(wrong_content_type("multipart/form-data", &found));
        }
        not_compressed(event)?;
        let max_bytes = body.limits.max_upload_bytes;
        announced_within(max_bytes, event)?;
        let is_boundary = |parameter: &&str| {
            let name = parameter.split('=').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case("boundary")
        };
        let written = texts(event.headers(), CONTENT_TYPE, b';').find(is_boundary);
        let boundary = format!("{found}; {}", written.unwrap_or_default());
        let boundary =
            multer::parse_boundary(boundary).map_err(|error| refuse(error, max_bytes))?;
        let chunks = std::mem::replace(&mut body.chunks, Box::pin(futures_util::stream::empty()));
        let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(max_bytes as u64));
        let parts = multer::Multipart::with_constraints(chunks, boundary, limits);
        Ok(Multipart { parts, max_bytes })
    }
}

impl Multipart {
    /// Waits for the next part; `None` behind the last.
    ///
    /// # Errors
    ///
    /// Status 400 if the body is malformed or ends early, 408 if it comes too
    /// slowly, 413 if it is too long. All are answers that a handler may pass on
    /// by `?`.
    pub async fn next(&mut self) -> Result<Option<Part>, EventError> {
        let max_bytes = self.max_bytes;
        let next = self.parts.next_field().await.map_err(|error| refuse(error, max_bytes))?;
        Ok(next.map(|field| Part { file_name: file_name(&field), field, max_bytes }))
    }
}

impl Part {
    /// Returns the name of the field.
    pub fn name(&self) -> Option<&str> {
        self.field.name()
    }

    /// Returns the name of the file as the client gives it, if it is a file;
    /// what of it is no UTF-8 is replaced by `U+FFFD`. It may be anything: never
    /// make a path of it unchecked.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Returns the content type as the client gives it; without its parameters
    /// if they are no UTF-8.
    pub fn content_type(&self) -> Option<&str> {
        let written = self.field.headers().get(CONTENT_TYPE)?;
        let whole = str::from_utf8(written.as_bytes()).ok();
        whole.or_else(|| str::from_utf8(elements_of(written, b';').next()?).ok())
    }

    /// Waits for more of the part; `None` at its end.
    ///
    /// # Errors
    ///
    /// As for [`Multipart::next`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EventError> {
        self.field.chunk().await.map_err(|error| refuse(error, self.max_bytes))
    }

    /// Reads the whole part into memory.
    ///
    /// # Errors
    ///
    /// As for [`Multipart::next`].
    pub async fn bytes(self) -> Result<Bytes, EventError> {
        self.field.bytes().await.map_err(|error| refuse(error, self.max_bytes))
    }

    /// Reads the whole part as text.
    ///
    /// # Errors
    ///
    /// As for [`Multipart::next`], and status 400 if it is not UTF-8.
    pub async fn text(self) -> Result<String, EventError> {
        let not_text = |_| EventError::new(400, "multipart: the text is not UTF-8");
        String::from_utf8(self.bytes().await?.into()).map_err(not_text)
    }
}

/// A file whose name can't be read is one nevertheless, which multer doesn't see.
fn file_name(field: &multer::Field<'_>) -> Option<String> {
    let written = field.headers().get(CONTENT_DISPOSITION)?.as_bytes();
    if field.file_name().is_some() || str::from_utf8(written).is_ok() {
        return field.file_name().map(str::to_owned);
    }
    let written = String::from_utf8_lossy(written);
    let (_, name) = written.split_once("filename=\"")?;
    name.split('"').next().map(str::to_owned)
}

fn refuse(error: multer::Error, max_bytes: usize) -> EventError {
    match error {
        multer::Error::StreamSizeExceeded { .. } => too_long(max_bytes),
        error => {
            too_slow(&error).unwrap_or_else(|| EventError::new(400, format!("multipart: {error}")))
        }
    }
}
