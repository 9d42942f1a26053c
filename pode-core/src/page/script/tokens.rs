//! The tokens of JavaScript: enough to tell code from comments, strings,
//! templates and regular expressions.

use crate::page::UNKNOWN;

#[derive(Debug)]
pub(super) struct Token<'code> {
    /// The byte at which it begins.
    pub(super) start: usize,
    pub(super) kind: Kind<'code>,
}

#[derive(Debug)]
pub(super) enum Kind<'code> {
    Word(&'code str),
    /// One character of punctuation; `...` is three.
    Punctuation(&'code str),
    /// A quoted string, or the pieces of a template.
    Text(Vec<Piece<'code>>),
    /// A number or a regular expression.
    Other,
}

#[derive(Debug)]
pub(super) enum Piece<'code> {
    Text(String),
    /// The code between `${` and `}`.
    Code(&'code str),
}

/// Splits code into tokens; an unfinished token at the end is left out.
pub(super) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut start = 0;
    while let Some(first) = code[start..].chars().next() {
        let rest = &code[start..];
        let (length, kind) = if first.is_whitespace() {
            (first.len_utf8(), None)
        } else if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), None)
        } else if is_of_word(first) {
            let length = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            let word = &rest[..length];
            let kind = if first.is_ascii_digit() { Kind::Other } else { Kind::Word(word) };
            (length, Some(kind))
        } else if matches!(first, '"' | '\'') {
            let (text, length) = quoted(rest, first);
            (length, Some(Kind::Text(vec![Piece::Text(text)])))
        } else if first == '`' {
            let (pieces, length) = template(rest);
            (length, Some(Kind::Text(pieces)))
        } else if first == '/' && begins_expression(tokens.last()) {
            (regular_expression(rest), Some(Kind::Other))
        } else {
            let length = first.len_utf8();
            (length, Some(Kind::Punctuation(&rest[..length])))
        };
        if let Some(kind) = kind {
            tokens.push(Token { start, kind });
        }
        start += length;
    }
    tokens
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$' | UNKNOWN)
}

/// Tells whether a `/` after this token begins a regular expression, and is not
/// a division.
fn begins_expression(last: Option<&Token<'_>>) -> bool {
    match last.map(|token| &token.kind) {
        None => true,
        Some(Kind::Punctuation(mark)) => !matches!(*mark, ")" | "]" | "}"),
        Some(Kind::Word(word)) => {
            matches!(*word, "return" | "typeof" | "case" | "in" | "of" | "do" | "else" | "void")
        }
        Some(_) => false,
    }
}

/// Reads a quoted string: its text, and its length with the quotes.
fn quoted(rest: &str, quote: char) -> (String, usize) {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => text.extend(characters.next().map(|(_, escaped)| unescaped(escaped))),
            '\n' => return (text, index),
            _ if character == quote => return (text, index + 1),
            _ => text.push(character),
        }
    }
    (text, rest.len())
}

/// Escapes that stand for another character are rare in addresses, and may be
/// anything.
fn unescaped(escaped: char) -> char {
    if escaped.is_alphanumeric() { UNKNOWN } else { escaped }
}

/// Reads a template: its pieces, and its length with the quotes.
fn template(rest: &str) -> (Vec<Piece<'_>>, usize) {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut index = 1;
    while let Some(character) = rest[index..].chars().next() {
        index += character.len_utf8();
        match character {
            '`' => break,
            '\\' => {
                let escaped = rest[index..].chars().next();
                index += escaped.map_or(0, char::len_utf8);
                text.extend(escaped.map(unescaped));
            }
            '$' if rest[index..].starts_with('{') => {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                let length = end_of_braces(&rest[index..]);
                let inner = &rest[index + 1..index + length];
                pieces.push(Piece::Code(inner.strip_suffix('}').unwrap_or(inner)));
                index += length;
            }
            _ => text.push(character),
        }
    }
    pieces.push(Piece::Text(text));
    (pieces, index)
}

/// Returns the length of a text that begins with a brace, up to the matching
/// one.
fn end_of_braces(rest: &str) -> usize {
    let mut depth = 0;
    let mut index = 0;
    while let Some(character) = rest[index..].chars().next() {
        match character {
            '"' | '\'' => index += quoted(&rest[index..], character).1,
            '`' => index += template(&rest[index..]).1,
            _ => index += character.len_utf8(),
        }
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    rest.len()
}

fn regular_expression(rest: &str) -> usize {
    let mut in_class = false;
    let mut characters = rest.char_indices().skip(1);
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => _ = characters.next(),
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return index + 1,
            // It was a division.
            '\n' => return 1,
            _ => {}
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_divides_or_begins_a_regular_expression() {
        let kinds =
            |code| tokens(code).iter().filter(|token| matches!(token.kind, Kind::Other)).count();
        assert_eq!(kinds("a / b / c"), 0);
        assert_eq!(kinds("x = /[/]\\//; return /b/"), 2);
        assert_eq!(kinds("(a) / b"), 0);
    }

    #[test]
    fn tokens_know_where_they_begin() {
        let starts: Vec<usize> =
            tokens("/* a */ b // c\n`d`").iter().map(|token| token.start).collect();
        assert_eq!(starts, [8, 15]);
    }
}
