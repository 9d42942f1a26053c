//! Multipart bodies, as forms with files send them (RFC 7578): read as they
//! come, part by part.

use std::marker::PhantomData;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use multer::{Constraints, SizeLimit};

use super::disposition::Disposition;
use super::{
    Argument, Body, announced_within, content_type, not_compressed, too_long, too_slow,
    wrong_content_type,
};
use crate::app::event::WebEvent;
use crate::base::error::EventError;
use crate::http::header::{elements_of, parameters};

/// Takes a body of type `multipart/form-data`.
pub fn multipart(_: PhantomData<Multipart>) -> TakesMultipart {
    TakesMultipart
}

/// A multipart body; made by [`multipart`].
#[derive(Debug)]
pub struct TakesMultipart;

/// The parts of a form with files, in the order they were sent.
///
/// The parts are read as they come: ask for the next part after the one before
/// was read or dropped. Together they have at most `max_upload_bytes` of
/// [`Limits`](crate::base::limits::Limits): 64 MiB by default.
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
    disposition: Disposition,
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
        let written = event.headers().get_all(CONTENT_TYPE).iter().flat_map(parameters);
        let boundary = written
            .filter(|(name, _)| name.eq_ignore_ascii_case(b"boundary"))
            .find_map(|(_, boundary)| String::from_utf8(boundary).ok())
            .filter(|boundary| !boundary.is_empty());
        let boundary = boundary.ok_or_else(|| refuse(multer::Error::NoBoundary, max_bytes))?;
        let chunks = std::mem::replace(&mut body.chunks, Box::pin(futures_util::stream::empty()));
        let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(max_bytes as u64));
        let parts = multer::Multipart::with_constraints(chunks, boundary, limits);
        Ok(Multipart { parts, max_bytes })
    }
}

impl Multipart {
    /// Waits for the next part; `None` after the last.
    ///
    /// # Errors
    ///
    /// Status 400 if the body is malformed or ends early, 408 if it comes too
    /// slowly, 413 if it is too long. A handler may pass on all of them with
    /// `?`.
    pub async fn next(&mut self) -> Result<Option<Part>, EventError> {
        let max_bytes = self.max_bytes;
        let next = self.parts.next_field().await.map_err(|error| refuse(error, max_bytes))?;
        Ok(next.map(|field| Part {
            disposition: Disposition::of(field.headers()),
            field,
            max_bytes,
        }))
    }
}

impl Part {
    /// Returns the name of the field, if it has one and it is UTF-8.
    pub fn name(&self) -> Option<&str> {
        self.disposition.name.as_deref()
    }

    /// Returns the name of the file as the client sent it, if the part is a
    /// file. Bytes that aren't UTF-8 are replaced by `U+FFFD`. The name may be
    /// anything: never use it in a path unchecked.
    pub fn file_name(&self) -> Option<&str> {
        self.disposition.file_name.as_deref()
    }

    /// Returns the content type as the client sent it; without its parameters
    /// if they aren't UTF-8.
    pub fn content_type(&self) -> Option<&str> {
        let written = self.field.headers().get(CONTENT_TYPE)?;
        let whole = str::from_utf8(written.as_bytes()).ok();
        whole.or_else(|| str::from_utf8(elements_of(written, b';').next()?).ok())
    }

    /// Waits for the next chunk of the part; `None` at its end.
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

fn refuse(error: multer::Error, max_bytes: usize) -> EventError {
    match error {
        multer::Error::StreamSizeExceeded { .. } => too_long(max_bytes),
        // multer's own message contains the name as multer parsed it.
        multer::Error::IncompleteFieldData { .. } => {
            EventError::new(400, "multipart: a part ends early")
        }
        error => {
            too_slow(&error).unwrap_or_else(|| EventError::new(400, format!("multipart: {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};
    use proptest::prelude::*;

    use super::*;

    /// Reads a part with this `Content-Disposition`.
    fn part(disposition: &[u8]) -> Part {
        let head = b"--XX\r\nContent-Disposition: ";
        let body = [head, disposition, b"\r\n\r\nx\r\n--XX--\r\n"].concat();
        let chunks = stream::iter([Ok::<_, std::io::Error>(Bytes::from(body))]);
        let mut form = Multipart { parts: multer::Multipart::new(chunks, "XX"), max_bytes: 1 };
        form.next().now_or_never().unwrap().unwrap().unwrap()
    }

    #[track_caller]
    fn check(
        disposition: impl AsRef<[u8]>,
        name: impl Into<Option<&'static str>>,
        file_name: impl Into<Option<&'static str>>,
    ) {
        let disposition = disposition.as_ref();
        let part = part(disposition);
        let read = (part.name(), part.file_name());
        assert_eq!(read, (name.into(), file_name.into()), "{}", disposition.escape_ascii());
    }

    #[test]
    fn what_is_quoted_is_no_parameter() {
        check(r#"form-data; name="a; filename=b""#, "a; filename=b", None);
        check(r#"form-data; filename="x; name=y"; name="real""#, "real", "x; name=y");
        check(r#"form-data; name="f"; x="; filename=evil""#, "f", None);
        check(r#"form-data; x="; name=\"y\""; name="f""#, "f", None);
        check(b"form-data; name=\"a; filename=\\\"\xff\\\"\"", None, None);
        check(b"form-data; x=\"; filename=\"; filename=\"\xff\"; name=f", "f", "\u{fffd}");
    }

    #[test]
    fn a_backslash_is_what_its_client_means_by_it() {
        check(r#"form-data; name="f"; filename="foo\""#, "f", r"foo\");
        check(r#"form-data; name="a\"; filename="b""#, r"a\", "b");
        check(r#"form-data; name="a\"; filename="; x=""#, r"a\", "; x=");
        check(r#"form-data; name="a\"; filename=b; c=\"""#, r#"a"; filename=b; c=""#, None);
        check(r#"form-data; name="\"\\"; filename="\\\"""#, r#""\"#, r#"\""#);
        check(r#"form-data; name=f; filename="C:\dir\file""#, "f", r"C:\dir\file");
        check(r#"form-data; name="a%22b"; filename="%22%0D%0A""#, r#"a"b"#, r#""%0D%0A"#);
    }

    #[test]
    fn parameters_are_found_however_they_are_written() {
        check(r#"form-data; NAME="f"; FileName=b.txt"#, "f", "b.txt");
        check("form-data;name = f ;\tfilename = my file.txt ;", "f", "my file.txt");
        check(r#"form-data;; =; filename=""; name="""#, "", "");
        check("form-data; names=x; xname=x; filename-x=x", None, None);
        check("form-data; name=a; name=b; filename=c; filename=d", "a", "c");
        check("", None, None);
    }

    #[test]
    fn an_extended_file_name_is_one() {
        check("form-data; name=f; filename*=UTF-8''J%C3%BCrgen%22.txt", "f", "Jürgen\".txt");
        check("form-data; name=f; FILENAME* = \"utf-8'de'%C3%BC\"; filename=\"u\"", "f", "ü");
        check("form-data; filename*=UTF-8''it's.txt", None, "it's.txt");
        // An unreadable name is used only if there is no other.
        for odd in ["utf-8''%ff", "ISO-8859-1''%ff", "%ff"] {
            check(format!("form-data; filename*={odd}"), None, "\u{fffd}");
            check(format!("form-data; filename*={odd}; filename=y"), None, "y");
        }
        check("form-data; filename*=UTF-7''x; filename=y", None, "y");
        check("form-data; filename*=utf-8''a%0D%0Ab%00", None, "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn what_is_sound_is_found_beside_what_is_not() {
        check(b"form-data; name=\"f\"; filename=\"\xfc.txt\"", "f", "\u{fffd}.txt");
        check(b"form-data; filename=\"a.txt\"; name=\"\xfc\"", None, "a.txt");
        check(b"\xff; \xff=\xff; name=\"f\"; filename=\"a.txt\"; \xff", "f", "a.txt");
        check(r#"form-data; name="f"; filename="say "hi".txt""#, "f", "say ");
        check(r#"form-data; filename="a"b; name="f""#, "f", "a");
        check(r#"form-data; name="f"; filename=b""#, "f", "b\"");
        check(r#"form-data; name="f"; filename="b"#, "f", "b");
        check(r#"form-data; "; name=f"#, "f", None);
    }

    proptest! {
        #[test]
        fn names_are_read_as_their_clients_wrote_them(
            name in r#"[ax";=\\ ü]{0,9}"#,
            file_name in r#"[ax";=\\ ü]{0,9}"#,
        ) {
            let quoted_string = |text: &str| text.replace('\\', r"\\").replace('"', r#"\""#);
            let form_data = |text: &str| text.replace('"', "%22");
            // Two backslashes are ambiguous: either encoding may have written
            // them.
            let ambiguous = format!("{name} {file_name}").contains(r"\\");
            let ways: &[&dyn Fn(&str) -> String] =
                if ambiguous { &[&quoted_string] } else { &[&quoted_string, &form_data] };
            for written in ways {
                let (first, second) = (written(&name), written(&file_name));
                let disposition = format!("form-data; name=\"{first}\"; filename=\"{second}\"");
                let part = part(disposition.as_bytes());
                let read = (part.name(), part.file_name());
                prop_assert_eq!(read, (Some(&*name), Some(&*file_name)), "{}", disposition);
            }
        }
    }
}
