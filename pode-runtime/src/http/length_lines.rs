//! Lines that begin with `Content-Length`, counted in the bytes of an HTTP/1
//! connection.
//!
//! Hyper removes the `Content-Length` of a request that also has chunks, and
//! such a request must be the last of its connection (RFC 9112, section 6.1).
//! If more of these lines came than requests had lengths, one may have been
//! removed. Bodies are counted, too, which at worst ends a connection early.

use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Extensions, Request};
use memchr::memchr;

/// The beginning of such a line, in lower case, behind the end of another.
const LINE: &[u8] = b"\ncontent-length";

/// Finds the lines in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct LengthLines {
    /// How many bytes of [`LINE`] came last.
    matched: usize,
}

impl LengthLines {
    /// Returns how many lines begin in the next bytes.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut lines = 0;
        while let [first, rest @ ..] = bytes {
            if self.matched == 0 {
                let Some(end) = memchr(b'\n', bytes) else { break };
                (self.matched, bytes) = (1, &bytes[end + 1..]);
            } else if first.to_ascii_lowercase() == LINE[self.matched] {
                (self.matched, bytes) = (self.matched + 1, rest);
                if self.matched == LINE.len() {
                    (self.matched, lines) = (0, lines + 1);
                }
            } else {
                // This byte may end a line itself.
                self.matched = 0;
            }
        }
        lines
    }
}

/// The lines of a connection that no request has accounted for.
#[derive(Debug, Default)]
pub(crate) struct UnclaimedLengths(AtomicU64);

/// A request with chunks that may have had a `Content-Length`.
#[derive(Clone, Copy, Debug)]
struct MayHaveHadLength;

impl UnclaimedLengths {
    pub(crate) fn add(&self, lines: u64) {
        self.0.fetch_add(lines, Ordering::Relaxed);
    }

    /// Takes the lengths of a request off, and marks the request if it may have
    /// had another.
    pub(crate) fn claim<B>(&self, request: &mut Request<B>) {
        let unclaimed = self.0.load(Ordering::Relaxed);
        if unclaimed == 0 {
            return;
        }
        let lengths = request.headers().get_all(CONTENT_LENGTH).iter().count() as u64;
        self.0.fetch_sub(lengths, Ordering::Relaxed);
        if unclaimed > lengths && request.headers().contains_key(TRANSFER_ENCODING) {
            request.extensions_mut().insert(MayHaveHadLength);
        }
    }
}

/// Returns whether a request was marked.
pub(crate) fn may_have_had_length(extensions: &Extensions) -> bool {
    extensions.get::<MayHaveHadLength>().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_they_are_cut() {
        let text =
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nX-Content-Length: 2\nCONTENT-LENGTH:3\r\n\n\
                     content-lengthy\ncontent-\nlength\ncontent-\ncontent-length";
        for size in 1..=text.len() {
            let mut lines = LengthLines::default();
            let found: u64 = text.chunks(size).map(|bytes| lines.count(bytes)).sum();
            assert_eq!(found, 4, "in pieces of {size}");
        }
    }

    #[test]
    fn a_request_with_chunks_is_marked_if_a_length_is_missing() {
        let request = |headers: &[(&'static str, &'static str)]| {
            let builder = headers
                .iter()
                .fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value));
            builder.body(()).unwrap()
        };
        let unclaimed = UnclaimedLengths::default();
        let is_marked = |mut request: Request<()>| {
            unclaimed.claim(&mut request);
            may_have_had_length(request.extensions())
        };
        let (length, chunks) = (("content-length", "5"), ("transfer-encoding", "chunked"));
        assert!(!is_marked(request(&[chunks])));
        unclaimed.add(2);
        assert!(!is_marked(request(&[length, length])));
        assert!(!is_marked(request(&[chunks])));
        unclaimed.add(1);
        assert!(!is_marked(request(&[])));
        assert!(is_marked(request(&[chunks])));
    }
}
