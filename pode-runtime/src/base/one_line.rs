//! Texts in a line of the log.

use std::fmt::{self, Write};

/// A text that may hold what a stranger sent: as it is, but with line breaks and
/// other control characters escaped, so that it can't forge lines. Unlike its Debug
/// form, it has no quotes around it and escapes none within, as texts are told that
/// quote something themselves. Of a long one, its beginning: what a handler's error
/// quotes may be as long as a body.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

/// More than what servers say of themselves, and less than what clients may send.
const MAX_BYTES: usize = 4096;

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |letter: char| matches!(letter, '"' | '\'' | '\\');
        let mut end = self.0.len().min(MAX_BYTES);
        while !self.0.is_char_boundary(end) {
            end -= 1;
        }
        for part in self.0[..end].split_inclusive(is_plain) {
            let text = part.trim_end_matches(is_plain);
            write!(f, "{}", text.escape_debug())?;
            part[text.len()..].chars().try_for_each(|letter| f.write_char(letter))?;
        }
        match self.0.len() - end {
            0 => Ok(()),
            more => write!(f, "… and {more} bytes more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_line_and_is_quoted_once() {
        for (text, shown) in [
            (r#"cannot read "a\n'b'""#, r#"cannot read "a\n'b'""#),
            ("one\nINFO two\u{1b}[31m\u{202e}", r"one\nINFO two\u{1b}[31m\u{202e}"),
            (r#""\\""#, r#""\\""#),
            ("größer", "größer"),
            ("", ""),
        ] {
            assert_eq!(OneLine(text).to_string(), shown);
        }
    }

    #[test]
    fn a_line_is_not_as_long_as_a_stranger_wants() {
        let long = format!("{}ü{}", "\u{1}".repeat(MAX_BYTES - 1), "x".repeat(1 << 20));
        let shown = OneLine(&long).to_string();
        assert_eq!(shown, format!("{}… and 1048578 bytes more", r"\u{1}".repeat(MAX_BYTES - 1)));
    }
}
