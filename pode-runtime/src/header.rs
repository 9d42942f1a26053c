//! Headers of requests as they are read: whatever is sound of one is used.
//!
//! A header may stand on several lines and hold bytes of any encoding, which
//! `HeaderValue::to_str` gives up on as a whole. Here each element is judged by
//! itself, so that none hides the others. What decides where a request ends and
//! who may send it (`Host`, `Origin`, lengths, codings, ids) isn't read by this:
//! there an odd byte makes the whole header wrong.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Returns the elements of a header, from all of its lines: what stands between
/// separators, without the spaces around it.
pub(crate) fn elements(
    headers: &HeaderMap,
    name: HeaderName,
    separator: u8,
) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).iter().flat_map(move |line| elements_of(line, separator))
}

/// Returns the elements of one line.
pub(crate) fn elements_of(line: &HeaderValue, separator: u8) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(move |byte| *byte == separator).map(<[u8]>::trim_ascii)
}

/// Returns those elements of a header that are UTF-8.
pub(crate) fn texts(
    headers: &HeaderMap,
    name: HeaderName,
    separator: u8,
) -> impl Iterator<Item = &str> {
    elements(headers, name, separator).filter_map(|element| str::from_utf8(element).ok())
}
