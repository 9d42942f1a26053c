//! The names that a part of a form has in its `Content-Disposition` (RFC 7578,
//! section 4.2).

use http::header::{CONTENT_DISPOSITION, HeaderMap};
use percent_encoding::percent_decode;

use crate::http::header::parameters;

/// The names of a part.
#[derive(Debug)]
pub(super) struct Disposition {
    pub(super) name: Option<String>,
    /// The file name, if the part is a file. A part whose file name can't be
    /// read is still a file.
    pub(super) file_name: Option<String>,
}

impl Disposition {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let parameters = headers.get(CONTENT_DISPOSITION).map(parameters).unwrap_or_default();
        let find = |sought: &str| {
            let found = parameters.iter().find(|it| it.0.eq_ignore_ascii_case(sought.as_bytes()));
            found.map(|(_, value)| &**value)
        };
        let name = find("name").and_then(|name| str::from_utf8(name).ok()).map(unescape);
        let plain = || Some(unescape(&String::from_utf8_lossy(find("filename")?)));
        let file_name = match find("filename*").map(extended) {
            // .NET sends both, and this one is readable; RFC 6266 prefers it,
            // too.
            Some(Ok(file_name)) => Some(file_name),
            Some(Err(file_name)) => plain().or(Some(file_name)),
            None => plain(),
        };
        Self { name, file_name }
    }
}

/// Decodes a quote as browsers encode it. Line breaks, which they write as
/// `%0D%0A`, stay encoded, because names go to logs and headers.
fn unescape(text: &str) -> String {
    text.replace("%22", "\"")
}

/// Decodes a value such as `UTF-8''a%20b` (RFC 8187). RFC 7578 forbids it in
/// forms, but some clients send nothing else.
///
/// # Errors
///
/// The closest readable text, if the value is invalid.
fn extended(value: &[u8]) -> Result<String, String> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, encoded) = match (parts.next(), parts.nth(1)) {
        (Some(charset), Some(encoded)) => (charset, encoded),
        _ => (&b""[..], value),
    };
    let decoded = percent_decode(encoded);
    let sound = charset.eq_ignore_ascii_case(b"UTF-8") && decoded.clone().decode_utf8().is_ok();
    let text = decoded.decode_utf8_lossy().replace(char::is_control, "\u{fffd}");
    if sound { Ok(text) } else { Err(text) }
}
