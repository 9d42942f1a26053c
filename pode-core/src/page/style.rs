//! What styles request: `url(…)` and `@import "…"`.

use super::{Asks, Lines, Request};
use crate::method::Method;

/// Finds what a style requests, relative to the style.
pub fn requests(style: &str) -> Vec<Request> {
    let lines = Lines::of(style);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = style[at..].chars().next() {
        let rest = &style[at..];
        let (length, address) = if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), None)
        } else if begins(rest, "url(") && !style[..at].ends_with(is_of_name) {
            let inner = rest["url(".len()..].trim_start();
            let skipped = rest.len() - inner.len();
            match quoted(inner) {
                Some((text, length)) => (skipped + length, Some(text)),
                None => {
                    let end = inner.find(')').unwrap_or(inner.len());
                    (skipped + end, Some(inner[..end].trim()))
                }
            }
        } else if begins(rest, "@import") {
            let inner = rest["@import".len()..].trim_start();
            let skipped = rest.len() - inner.len();
            match quoted(inner) {
                Some((text, length)) => (skipped + length, Some(text)),
                None => (skipped, None),
            }
        } else {
            (quoted(rest).map_or(next.len_utf8(), |(_, length)| length), None)
        };
        // Escapes are rare in addresses, and may stand for anything.
        let address = address.filter(|text| !text.is_empty() && !text.contains(['\\', '\n']));
        found.extend(address.map(|text| Request::new(lines.at(at), Asks::By(Method::Get), text)));
        at += length;
    }
    found
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_')
}

fn begins(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

/// Splits a string from a text that begins with it: its text, and its length with
/// the quotes.
fn quoted(text: &str) -> Option<(&str, usize)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(match end {
        Some(end) => (&text[1..1 + end], end + 2),
        None => (&text[1..], text.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_styles_are_found() {
        let style = "@import 'a.css'; /* url(no) */\n@IMPORT url( \"/b.css\" ) screen;\n\
                     p { background: URL(c.svg), url( '../d.svg' ); content: 'url(no)' }\n\
                     q { background: myurl(no) url() url(\\61) } r { background: url(e";
        let found = requests(style);
        let found: Vec<_> = found.iter().map(|it| (it.line, it.address.as_str())).collect();
        assert_eq!(found, [(1, "a.css"), (2, "/b.css"), (3, "c.svg"), (3, "../d.svg"), (4, "e")]);
        for cut in ["url(", "@import", "'", "/*", "url('", "ü"] {
            requests(cut);
        }
    }
}
