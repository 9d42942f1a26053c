//! Reads headers of requests leniently: every valid element of a header is
//! used.
//!
//! A header may have several lines and hold bytes of any encoding, on which
//! `HeaderValue::to_str` fails as a whole. Here each element is checked by
//! itself, so that an invalid one doesn't hide the others. Headers that decide
//! where a request ends and who may send it (`Host`, `Origin`, lengths,
//! codings, ids) are not read this way: there one odd byte makes the whole
//! header invalid.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Returns the elements of a header, from all of its lines: the parts between
/// separators, without surrounding spaces.
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

/// Returns the elements of a header that are UTF-8.
pub(crate) fn texts(
    headers: &HeaderMap,
    name: HeaderName,
    separator: u8,
) -> impl Iterator<Item = &str> {
    elements(headers, name, separator).filter_map(|element| str::from_utf8(element).ok())
}

/// A name as it is written, and its value without quotes and escapes.
pub(crate) type Parameter<'a> = (&'a [u8], Vec<u8>);

/// Returns the parameters of one line, such as `form-data; name="a"; filename=b`.
///
/// Within quotes, some clients write `"` as `\"` and `\` as `\\` (the
/// quoted-string of RFC 9110, section 5.6.4: Go, old versions of curl), others
/// `"` as `%22` and `\` as it is (the form data of WHATWG: browsers, curl,
/// requests). So `"a\"` may or may not end there. One client wrote the whole
/// line: if the first form leaves over a quote, the line is read in the second.
/// Lines of either kind of client are split as they were meant; the only loss
/// is a `\\` that the second form means literally.
#[cfg_attr(not(feature = "multipart"), expect(dead_code, reason = "only forms in parts need it"))]
pub(crate) fn parameters(line: &HeaderValue) -> Vec<Parameter<'_>> {
    let line = line.as_bytes();
    let (escaped, sound) = parameters_by(line, true);
    if sound {
        return escaped;
    }
    let (unescaped, sound) = parameters_by(line, false);
    if sound { unescaped } else { escaped }
}

/// Reads parameters with or without escapes, and returns whether all quotes are
/// in valid places. If not, the unclear part is skipped, up to the next `;`.
fn parameters_by(line: &[u8], escapes: bool) -> (Vec<Parameter<'_>>, bool) {
    let (mut found, mut sound, mut rest) = (Vec::new(), true, line);
    while !rest.is_empty() {
        let (name, behind) = split_before(rest, b"=;");
        sound &= !name.contains(&b'"');
        rest = behind;
        if let [b'=', behind @ ..] = behind {
            let (value, between);
            if let [b'"', quoted @ ..] = behind.trim_ascii_start() {
                let behind;
                (value, behind) = unquote(quoted, escapes);
                sound &= behind.is_some();
                (between, rest) = split_before(behind.unwrap_or_default(), b";");
                sound &= between.trim_ascii().is_empty();
            } else {
                (between, rest) = split_before(behind, b";");
                sound &= !between.contains(&b'"');
                value = between.trim_ascii().to_vec();
            }
            found.push((name.trim_ascii(), value));
        }
        rest = rest.strip_prefix(b";").unwrap_or_default();
    }
    (found, sound)
}

/// Reads a value after its opening quote. Also returns the rest after the
/// closing quote, if there is one.
fn unquote(mut rest: &[u8], escapes: bool) -> (Vec<u8>, Option<&[u8]>) {
    let mut value = Vec::new();
    loop {
        let (byte, behind) = match rest {
            // In `C:\file` nothing is an escape.
            [b'\\', byte @ (b'"' | b'\\'), behind @ ..] if escapes => (byte, behind),
            [b'"', behind @ ..] => return (value, Some(behind)),
            [byte, behind @ ..] => (byte, behind),
            [] => return (value, None),
        };
        value.push(*byte);
        rest = behind;
    }
}

/// Splits before the first of these bytes, or at the end.
fn split_before<'a>(bytes: &'a [u8], stops: &[u8]) -> (&'a [u8], &'a [u8]) {
    bytes.split_at(bytes.iter().position(|byte| stops.contains(byte)).unwrap_or(bytes.len()))
}
