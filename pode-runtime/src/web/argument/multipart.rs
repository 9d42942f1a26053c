//! Multipart bodies, as forms with files send them (RFC 7578): read as they
//! come, part by part.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap};
use tokio::sync::Mutex;

use super::disposition::Disposition;
use super::framing::Framing;
use super::{Argument, Body, announced_within, content_type, not_compressed, wrong_content_type};
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
/// was read or dropped. What wasn't read of that one is skipped. The body has at
/// most `max_upload_bytes` of [`Limits`](crate::base::limits::Limits), 64 MiB by
/// default, and at most 1,000 parts, each with at most 32 headers of together
/// 8 KiB. All that belongs to no part, such as what precedes the first
/// boundary, is skipped, and may also have 8 KiB.
///
/// No more is held in memory than the headers of one part and the bytes that
/// came last.
///
/// ```
/// # mod pode {
/// #     pub mod prelude {
/// #         pub use pode_runtime::{EventError, WebEvent, argument::Multipart};
/// #     }
/// # }
/// use pode::prelude::*;
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
    /// Shared with the parts, which read it on.
    framing: Arc<Mutex<Framing>>,
}

/// One part of a form: a field or a file.
#[derive(Debug)]
pub struct Part {
    framing: Arc<Mutex<Framing>>,
    number: usize,
    headers: HeaderMap,
    disposition: Disposition,
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
            .map(|(_, boundary)| boundary)
            .find(|boundary| !boundary.is_empty());
        let boundary = boundary.ok_or_else(|| {
            EventError::new(400, "multipart: the content type must name a `boundary`")
        })?;
        let chunks = std::mem::replace(&mut body.chunks, Box::pin(futures_util::stream::empty()));
        Ok(Multipart::new(Framing::new(chunks, &boundary, max_bytes)))
    }
}

impl Multipart {
    fn new(framing: Framing) -> Multipart {
        Multipart { framing: Arc::new(Mutex::new(framing)) }
    }

    /// Waits for the next part; `None` after the last.
    ///
    /// # Errors
    ///
    /// Status 400 if the body is malformed or ends early, 408 if it comes too
    /// slowly, 413 if it is too long or has too many parts or headers. A handler
    /// may pass on all of them with `?`.
    pub async fn next(&mut self) -> Result<Option<Part>, EventError> {
        let next = self.framing.lock().await.next().await?;
        Ok(next.map(|(number, headers)| Part {
            framing: Arc::clone(&self.framing),
            number,
            disposition: Disposition::of(&headers),
            headers,
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
        let written = self.headers.get(CONTENT_TYPE)?;
        let whole = str::from_utf8(written.as_bytes()).ok();
        whole.or_else(|| str::from_utf8(elements_of(written, b';').next()?).ok())
    }

    /// Waits for the next chunk of the part; `None` at its end.
    ///
    /// # Errors
    ///
    /// As for [`Multipart::next`], and status 500 if the next part was asked for
    /// meanwhile.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EventError> {
        self.framing.lock().await.chunk(self.number).await
    }

    /// Reads the whole part into memory.
    ///
    /// # Errors
    ///
    /// As for [`Part::chunk`].
    pub async fn bytes(mut self) -> Result<Bytes, EventError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Reads the whole part as text.
    ///
    /// # Errors
    ///
    /// As for [`Part::chunk`], and status 400 if it is not UTF-8.
    pub async fn text(self) -> Result<String, EventError> {
        let not_text = |_| EventError::new(400, "multipart: the text is not UTF-8");
        String::from_utf8(self.bytes().await?.into()).map_err(not_text)
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
        let chunks = Box::pin(stream::iter([Ok(Bytes::from(body))]));
        let mut form = Multipart::new(Framing::new(chunks, b"XX", usize::MAX));
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
        // As .NET writes it.
        let both = r#"filename="=?utf-8?B?SsO8cmdlbi50eHQ=?="; filename*=utf-8''J%C3%BCrgen.txt"#;
        check(format!("form-data; name=f; {both}"), "f", "Jürgen.txt");
        // Alone it is the name as it is: RFC 2047 has no encoded words in quotes,
        // and browsers send a file of this name so.
        check(r#"form-data; filename="=?utf-8?B?w7w=?=""#, None, "=?utf-8?B?w7w=?=");
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
