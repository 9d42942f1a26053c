//! Texts in a line of the log.

use std::fmt::{self, Write};

/// A text that may hold what a stranger sent: as it is, but with line breaks and
/// other control characters escaped, so that it can't forge lines. Unlike its Debug
/// form, it has no quotes around it and escapes none within, as texts are told that
/// quote something themselves.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |letter: char| matches!(letter, '"' | '\'' | '\\');
        for part in self.0.split_inclusive(is_plain) {
            let text = part.trim_end_matches(is_plain);
            write!(f, "{}", text.escape_debug())?;
            part[text.len()..].chars().try_for_each(|letter| f.write_char(letter))?;
        }
        Ok(())
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
}
