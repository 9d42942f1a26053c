//! What an expression prints, as far as its syntax alone says it.

use crate::page::template::end_of_code;

/// What an expression prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printed<'code> {
    /// What the template itself contains.
    Own,
    /// A number that a loop counts, within one: `loop.index`.
    Count,
    /// What this filter returns, without arguments but for `tojson`.
    Filtered(&'code str),
    /// A position of a signal: letters, digits and a hyphen.
    Position,
    /// What this macro or block prints: `field`, `forms.field`, `self.title`.
    Call(&'code str),
    Any,
}

/// Returns what an expression may print: of a condition, either.
pub(super) fn printed(code: &str) -> Vec<Printed<'_>> {
    alternatives(code, &items(code))
}

/// The parts of an expression, those in brackets being one.
#[derive(Clone, Copy, Debug)]
struct Item<'code> {
    kind: Kind,
    text: &'code str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    Number,
    Text,
    /// `(…)`, `[…]` and `{…}`.
    Brackets,
    Mark,
}

fn items(code: &str) -> Vec<Item<'_>> {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let (kind, length) = match first {
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            '"' | '\'' => {
                let mut escaped = false;
                let end = rest[1..].find(|c| {
                    let ends = c == first && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                (Kind::Text, end.map_or(rest.len(), |end| end + 2))
            }
            '(' | '[' | '{' => {
                let close =
                    [")", "]", "}"][usize::from(first == '[') + 2 * usize::from(first == '{')];
                (Kind::Brackets, end_of_code(&rest[1..], close).map_or(rest.len(), |end| end + 2))
            }
            '0'..='9' => {
                let is_of_number = |c: char| is_of_word(c) || c == '.';
                (Kind::Number, rest.find(|c| !is_of_number(c)).unwrap_or(rest.len()))
            }
            _ if is_of_word(first) => {
                (Kind::Word, rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()))
            }
            _ => (Kind::Mark, first.len_utf8()),
        };
        items.push(Item { kind, text: &rest[..length] });
        at += length;
    }
    items
}

/// `a if c else b`, or one value.
fn alternatives<'code>(code: &'code str, items: &[Item<'code>]) -> Vec<Printed<'code>> {
    let place = |items: &[Item<'_>], word| {
        items.iter().position(|item| item.kind == Kind::Word && item.text == word)
    };
    let Some(at) = place(items, "if") else {
        return match items {
            [Item { kind: Kind::Brackets, text }] if text.starts_with('(') => {
                printed(text[1..].strip_suffix(')').unwrap_or_default())
            }
            _ => vec![value(code, items)],
        };
    };
    let (one, condition) = (&items[..at], &items[at + 1..]);
    let mut found = alternatives(code, one);
    let end = place(condition, "else");
    // `a if b if c` is `(a if b) if c`.
    if place(&condition[..end.unwrap_or(condition.len())], "if").is_some() {
        return vec![Printed::Any];
    }
    found.extend(end.into_iter().flat_map(|end| alternatives(code, &condition[end + 1..])));
    found
}

/// A literal, or a value with what follows it: `user.names[0]|first|tojson`.
/// Operators aren't looked into: `a ~ b|tojson` is `a ~ (b|tojson)`.
fn value<'code>(code: &'code str, items: &[Item<'code>]) -> Printed<'code> {
    let text_of = |item: &Item<'code>| item.text;
    match items {
        [Item { kind: Kind::Text | Kind::Number, .. }] => return Printed::Own,
        [Item { kind: Kind::Mark, text: "-" }, Item { kind: Kind::Number, .. }] => {
            return Printed::Own;
        }
        [
            Item { kind: Kind::Word, text: "true" | "false" | "none" | "True" | "False" | "None" },
        ] => {
            return Printed::Own;
        }
        // No statement can give this name to something else.
        [Item { text: "loop", .. }, Item { text: ".", .. }, Item { kind: Kind::Word, text }]
            if COUNTERS.contains(text) =>
        {
            return Printed::Count;
        }
        _ => {}
    }
    let is_call = |last: &Item<'_>| last.text.starts_with('(');
    match items.iter().map(text_of).collect::<Vec<_>>()[..] {
        [name, _] if items[0].kind == Kind::Word && is_call(&items[1]) => {
            return Printed::Call(name);
        }
        [module, ".", name, _] if items[0].kind == Kind::Word && is_call(&items[3]) => {
            let start = module.as_ptr() as usize - code.as_ptr() as usize;
            let end = name.as_ptr() as usize + name.len() - code.as_ptr() as usize;
            return Printed::Call(&code[start..end]);
        }
        _ => {}
    }
    let mut rest = match items {
        [Item { kind: Kind::Mark, .. }, ..] | [] => return Printed::Any,
        [_, rest @ ..] => rest,
    };
    let mut filter = None;
    loop {
        (filter, rest) = match rest {
            [] => return filter.map_or(Printed::Any, Printed::Filtered),
            [Item { text: ".", .. }, Item { kind: Kind::Word | Kind::Number, .. }, rest @ ..] => {
                (None, rest)
            }
            [Item { text: "|", .. }, Item { kind: Kind::Word, text }, rest @ ..] => match rest {
                // With a default, `int` returns that as it is.
                [arguments, rest @ ..] if is_call(arguments) => {
                    (Some(*text).filter(|name| *name == "tojson"), rest)
                }
                _ => (Some(*text), rest),
            },
            [Item { kind: Kind::Brackets, .. }, rest @ ..] => (None, rest),
            _ => return Printed::Any,
        };
    }
}

/// What a loop counts.
const COUNTERS: [&str; 7] =
    ["index", "index0", "revindex", "revindex0", "length", "depth", "depth0"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_tells_what_is_printed() {
        for (code, expected) in [
            (" 'a' ", &[Printed::Own][..]),
            ("-1.5", &[Printed::Own]),
            ("True", &[Printed::Own]),
            ("loop.index0", &[Printed::Count]),
            ("x|tojson", &[Printed::Filtered("tojson")]),
            ("x.y[ 'if' ] | first('|') | tojson(indent=2)", &[Printed::Filtered("tojson")]),
            ("{'a': {'b': x}}|tojson", &[Printed::Filtered("tojson")]),
            ("'a' if x|length else (y|int)", &[Printed::Own, Printed::Filtered("int")]),
            ("('a' if x)", &[Printed::Own]),
            ("1 if a else 2 if b else c", &[Printed::Own, Printed::Own, Printed::Any]),
            ("field(x)", &[Printed::Call("field")]),
            ("forms . field(x, ')')", &[Printed::Call("forms . field")]),
            ("a if b if c", &[Printed::Any]),
            ("x", &[Printed::Any]),
            ("loop.previtem", &[Printed::Any]),
            ("x ~ y|tojson", &[Printed::Any]),
            ("x|tojson ~ y", &[Printed::Any]),
            ("x|tojson or y", &[Printed::Any]),
            ("not x|tojson", &[Printed::Any]),
            ("x is y|tojson", &[Printed::Any]),
            ("x|tojson[0]", &[Printed::Any]),
            ("x|int + y", &[Printed::Any]),
            ("x|int(y)", &[Printed::Any]),
            ("(x, 1)", &[Printed::Any]),
            ("x|int.y", &[Printed::Any]),
            ("", &[Printed::Any]),
            ("(", &[Printed::Any]),
        ] {
            assert_eq!(printed(code), expected, "{code}");
        }
    }
}
