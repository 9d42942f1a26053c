//! PEM files (RFC 7468), as people's tools leave them.

/// What some editors begin a file with, to say that it is UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns a file without its byte order marks. Whoever reads PEM takes a line
/// that begins with one for a comment, and misses what begins there. In a file
/// that was joined from several, that may be anywhere.
///
/// It has the capacity of the file from the beginning, so that a secret in it
/// leaves no copy where it grows.
pub fn without_byte_order_marks(file: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(file.len());
    let mut rest = file;
    while let Some((first, behind)) = rest.split_first() {
        rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or_else(|| {
            clean.push(*first);
            behind
        });
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_go_and_all_else_stays() {
        let clean = |file: &str| String::from_utf8(without_byte_order_marks(file.as_bytes()));
        assert_eq!(clean("\u{feff}a\n\u{feff}\u{feff}b\u{fefe}"), Ok("a\nb\u{fefe}".to_owned()));
        assert_eq!(without_byte_order_marks(b"\xef\xbb"), b"\xef\xbb");
    }
}
