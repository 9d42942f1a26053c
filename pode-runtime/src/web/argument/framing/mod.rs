//! The framing of multipart bodies (RFC 2046, section 5.1): finds the parts
//! while the chunks come.
//!
//! It is our own, since multer keeps what precedes a boundary and the headers
//! of a part without a bound and searches it again with each chunk; a stream
//! that protects multer from that would be this framing.
//!
//! Only a part's headers are copied. Of anything else no byte is kept: of a
//! delimiter that may go on in the next chunk, it is enough to know how long its
//! beginning is. Each byte is looked at a fixed number of times. A future may be
//! dropped; nothing is lost by that.

use std::mem::take;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::{Chunks, interrupted, too_long};
use crate::base::debug_form::debug_form;
use crate::base::error::EventError;

/// How long the headers of one part may be, and how long everything that
/// belongs to no part: what precedes the first boundary, follows the last, or
/// stands between a boundary and the end of its line.
const MAX_BYTES: usize = 8 << 10;

/// How many headers a part may have.
const MAX_HEADERS: usize = 32;

/// How many parts a form may have.
const MAX_PARTS: usize = 1_000;

/// A body and how far it was read.
pub(super) struct Framing {
    chunks: Chunks,
    max_bytes: usize,
    /// How many of them may still come.
    left: usize,
    /// What wasn't looked at yet of the last chunk.
    rest: Bytes,
    /// CR LF, two hyphens and the boundary, which comes from a header and has no
    /// CR. So no beginning of a delimiter contains that of another.
    delimiter: Bytes,
    finder: Finder<'static>,
    /// How many bytes of a delimiter precede `rest`.
    seen: usize,
    /// How many of those belong to the line before: the empty line after the
    /// headers may end where a boundary begins.
    borrowed: usize,
    place: Place,
    /// How many bytes belong to no part.
    outside: usize,
    /// The headers of a part, as far as they were read.
    head: Vec<u8>,
    /// How many parts there were.
    parts: usize,
}

debug_form!(Framing, |_| {});

/// What is read next.
enum Place {
    /// Before the first boundary.
    Preamble,
    /// The line of a boundary, after this byte; NUL right after the boundary.
    Boundary(u8),
    Head,
    /// A part without headers, unless a boundary follows at once.
    Bare,
    Content,
    /// After the last boundary.
    Epilogue,
    End,
    /// Nothing, since the body was refused.
    Refused(EventError),
}

impl Framing {
    /// Reads a body of up to `max_bytes`.
    pub(super) fn new(chunks: Chunks, boundary: &[u8], max_bytes: usize) -> Framing {
        let delimiter = [b"\r\n--", boundary].concat();
        let mut framing = Framing {
            chunks,
            max_bytes,
            left: max_bytes,
            rest: Bytes::new(),
            finder: Finder::new(&delimiter).into_owned(),
            delimiter: delimiter.into(),
            seen: 0,
            borrowed: 0,
            place: Place::Preamble,
            outside: 0,
            head: Vec::new(),
            parts: 0,
        };
        framing.begin_line();
        framing
    }

    /// Skips the rest of the part before, and waits for the headers of the next
    /// one; `None` after the last. The parts are numbered from one.
    pub(super) async fn next(&mut self) -> Result<Option<(usize, HeaderMap)>, EventError> {
        let next = self.read_head().await;
        self.remember_refusal(next)
    }

    /// Waits for the next chunk of the part with this number; `None` at its end.
    pub(super) async fn chunk(&mut self, part: usize) -> Result<Option<Bytes>, EventError> {
        match &self.place {
            Place::Refused(error) => Err(error.clone()),
            _ if part != self.parts => {
                let text = "multipart: a part can't be read after the next one was asked for";
                Err(EventError::new(500, text))
            }
            Place::Content => {
                let piece = self.piece().await;
                self.remember_refusal(piece)
            }
            _ => Ok(None),
        }
    }

    fn remember_refusal<T>(&mut self, read: Result<T, EventError>) -> Result<T, EventError> {
        read.inspect_err(|error| self.place = Place::Refused(error.clone()))
    }

    async fn read_head(&mut self) -> Result<Option<(usize, HeaderMap)>, EventError> {
        loop {
            match &self.place {
                Place::Preamble => {
                    while let Some(piece) = self.piece().await? {
                        self.skip(piece.len())?;
                    }
                }
                Place::Boundary(last) => {
                    let last = *last;
                    self.fill().await?;
                    self.place = match (last, self.rest.get_u8()) {
                        (b'\0', b'-') => Place::Boundary(b'-'),
                        (b'-', b'-') => Place::Epilogue,
                        (b'\0' | b' ', b' ' | b'\t') => Place::Boundary(b' '),
                        (b'\0' | b' ', b'\r') => Place::Boundary(b'\r'),
                        (b'\r', b'\n') => Place::Head,
                        (b'\0' | b' ', b'\n') => return Err(no_cr()),
                        _ => return Err(malformed("something follows a boundary in its line")),
                    };
                    if let Place::Boundary(b' ') = self.place {
                        self.skip(1)?;
                    }
                }
                Place::Head => {
                    self.fill().await?;
                    let line = memchr(b'\n', &self.rest).map_or(self.rest.len(), |at| at + 1);
                    if self.head.len() + line > MAX_BYTES {
                        let text =
                            format!("the headers of a part are longer than {MAX_BYTES} bytes");
                        return Err(too_much(&text));
                    }
                    self.head.extend_from_slice(&self.rest.split_to(line));
                    match &*self.head {
                        b"\r\n" => {
                            self.head.clear();
                            self.place = Place::Bare;
                            self.begin_line();
                        }
                        [.., b'\r', b'\n', b'\r', b'\n'] => {
                            let headers = headers(take(&mut self.head))?;
                            self.place = Place::Content;
                            self.begin_line();
                            return self.part(headers);
                        }
                        [.., b'\r', b'\n'] => {}
                        [.., b'\n'] => return Err(no_cr()),
                        _ => {}
                    }
                }
                Place::Bare => {
                    // Nothing between two boundaries is what some clients send
                    // for a form without parts.
                    let nothing = self.ends_here().await?;
                    self.place = Place::Content;
                    if !nothing {
                        return self.part(HeaderMap::new());
                    }
                }
                Place::Content => while self.piece().await?.is_some() {},
                Place::Epilogue => {
                    let skipped = take(&mut self.rest);
                    self.skip(skipped.len())?;
                    if !self.more().await? {
                        self.place = Place::End;
                    }
                }
                Place::End => return Ok(None),
                Place::Refused(error) => return Err(error.clone()),
            }
        }
    }

    fn part(&mut self, headers: HeaderMap) -> Result<Option<(usize, HeaderMap)>, EventError> {
        if self.parts == MAX_PARTS {
            return Err(too_much(&format!("the form has more than {MAX_PARTS} parts")));
        }
        self.parts += 1;
        Ok(Some((self.parts, headers)))
    }

    /// Waits for the next bytes before a boundary; `None` at the boundary.
    async fn piece(&mut self) -> Result<Option<Bytes>, EventError> {
        loop {
            if self.seen > 0 {
                if self.ends_here().await? {
                    self.seen = 0;
                    self.place = Place::Boundary(b'\0');
                    return Ok(None);
                }
                let missed = self.delimiter.slice(take(&mut self.borrowed)..take(&mut self.seen));
                if !missed.is_empty() {
                    return Ok(Some(missed));
                }
            }
            self.fill().await?;
            let end = self.finder.find(&self.rest).unwrap_or_else(|| self.possible_end());
            let piece = self.rest.split_to(end);
            self.seen = self.rest.len().min(self.delimiter.len());
            self.rest.advance(self.seen);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    /// Waits until it is known whether the delimiter that has begun is complete.
    async fn ends_here(&mut self) -> Result<bool, EventError> {
        while self.seen < self.delimiter.len() {
            self.fill().await?;
            let expected = &self.delimiter[self.seen..];
            let length = expected.len().min(self.rest.len());
            if self.rest[..length] != expected[..length] {
                return Ok(false);
            }
            self.rest.advance(length);
            self.seen += length;
        }
        Ok(true)
    }

    /// Returns where a delimiter begins whose end isn't in `rest`, or its
    /// length.
    fn possible_end(&self) -> usize {
        let from = self.rest.len().saturating_sub(self.delimiter.len() - 1);
        memrchr(b'\r', &self.rest[from..])
            .map(|at| from + at)
            .filter(|at| self.delimiter.starts_with(&self.rest[*at..]))
            .unwrap_or(self.rest.len())
    }

    /// Notes that a line begins here: a boundary may follow at once.
    fn begin_line(&mut self) {
        (self.seen, self.borrowed) = (2, 2);
    }

    fn skip(&mut self, bytes: usize) -> Result<(), EventError> {
        self.outside += bytes;
        if self.outside > MAX_BYTES {
            let text = format!("more than {MAX_BYTES} bytes belong to no part");
            return Err(too_much(&text));
        }
        Ok(())
    }

    /// Waits until `rest` isn't empty.
    async fn fill(&mut self) -> Result<(), EventError> {
        while self.rest.is_empty() {
            if !self.more().await? {
                return Err(malformed(match self.place {
                    Place::Preamble => "the boundary that the content type names isn't in the body",
                    Place::Bare | Place::Content => "a part ends early",
                    _ => "the body ends before its last boundary, which two hyphens follow",
                }));
            }
        }
        Ok(())
    }

    /// Waits for a chunk. Returns whether there is one.
    async fn more(&mut self) -> Result<bool, EventError> {
        let Some(chunk) = self.chunks.next().await else { return Ok(false) };
        self.rest = chunk.map_err(|error| interrupted(&error))?;
        let left = self.left.checked_sub(self.rest.len());
        self.left = left.ok_or_else(|| too_long(self.max_bytes))?;
        Ok(true)
    }
}

/// Reads the headers of a part, with the empty line after them.
fn headers(mut head: Vec<u8>) -> Result<HeaderMap, EventError> {
    // A line that begins with a space continues the one before.
    for at in 2..head.len() {
        if head[at - 2..at] == *b"\r\n" && matches!(head[at], b' ' | b'\t') {
            head[at - 2..at].fill(b' ');
        }
    }
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
        if line.is_empty() {
            continue;
        }
        if headers.len() == MAX_HEADERS {
            return Err(too_much(&format!("a part has more than {MAX_HEADERS} headers")));
        }
        let (name, value) = header(line).ok_or_else(|| {
            malformed("a line before a part's content isn't a header: a name, a colon, a value")
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = memchr(b':', line)?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some((name, value))
}

fn no_cr() -> EventError {
    malformed("a line ends by LF alone; boundaries and headers end by CR LF")
}

fn malformed(text: &str) -> EventError {
    EventError::new(400, format!("multipart: {text}"))
}

fn too_much(text: &str) -> EventError {
    EventError::new(413, format!("multipart: {text}"))
}

#[cfg(test)]
mod tests;
