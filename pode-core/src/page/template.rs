//! What minijinja adds to a page: expressions, which only the running server
//! knows, and other templates.

use super::{UNKNOWN, line_at};

/// Other templates that a template requires.
#[derive(Debug, PartialEq, Eq)]
pub struct Include {
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// Their names as written; of several, the first that exists is used. None if
    /// only the running server knows them.
    pub names: Vec<String>,
    /// Whether `ignore missing` follows.
    pub may_be_missing: bool,
    /// Whether the template extends it.
    pub is_extended: bool,
    /// Whether it is shown with what the page is given; an import isn't.
    pub is_shown: bool,
}

/// A piece of a template between its delimiters.
pub(super) enum Tag<'text> {
    #[cfg_attr(not(feature = "views"), expect(dead_code, reason = "only variables are read"))]
    Expression(&'text str),
    Statement(&'text str),
    Comment,
}

/// Finds the templates that are included, extended or imported.
pub fn includes(text: &str) -> Vec<Include> {
    let mut found = Vec::new();
    for (start, _, tag) in tags(text) {
        let Tag::Statement(statement) = tag else {
            continue;
        };
        let (word, rest) = first_word(statement);
        match word {
            "include" | "extends" | "import" | "from" => {
                let (names, may_be_missing) = names(rest).unwrap_or_default();
                let line = line_at(text, start);
                let is_extended = word == "extends";
                let is_shown = is_extended || word == "include";
                found.push(Include { line, names, may_be_missing, is_extended, is_shown });
            }
            _ => {}
        }
    }
    found
}

/// Replaces the parts that only the running server knows, so that the rest can
/// be read as HTML. Lines keep their numbers.
pub(super) fn blanked(text: &str) -> String {
    let mut blank = String::with_capacity(text.len());
    let mut end = 0;
    for (start, next, tag) in tags(text) {
        blank.push_str(&text[end..start]);
        // A statement may print as well: `{% if new %}/new{% endif %}`.
        if !matches!(tag, Tag::Comment) {
            blank.push(UNKNOWN);
        }
        blank.extend(text[start..next].chars().filter(|c| *c == '\n'));
        end = next;
    }
    blank.push_str(&text[end..]);
    blank
}

/// Finds each piece between delimiters: its start, its end, and its kind. What stands
/// between `{% raw %}` and `{% endraw %}` is text.
pub(super) fn tags(text: &str) -> impl Iterator<Item = (usize, usize, Tag<'_>)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let opens = |brace: &usize| text[from + brace + 1..].starts_with(['{', '%', '#']);
        let mut braces = text[from..].match_indices('{').map(|(brace, _)| brace);
        let start = from + braces.find(opens)?;
        let inner = start + 2;
        let close = match &text[start..inner] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let length = match close {
            "#}" => text[inner..].find(close),
            _ => end_of_code(&text[inner..], close),
        };
        // One that never ends makes the template invalid; the template parser
        // reports it.
        let end = length.map_or(text.len(), |length| inner + length);
        let next = length.map_or(text.len(), |length| inner + length + 2);
        from = next;
        let tag = match close {
            "}}" => Tag::Expression(text[inner..end].trim_matches(['-', '+'])),
            "%}" => Tag::Statement(text[inner..end].trim_matches(['-', '+'])),
            _ => Tag::Comment,
        };
        if matches!(tag, Tag::Statement(statement) if statement.trim() == "raw") {
            let mut ends = text[from..].match_indices("{%");
            let is_end = |(at, _): &(usize, &str)| {
                text[from + at + 2..]
                    .trim_start_matches(['-', '+'])
                    .trim_start()
                    .starts_with("endraw")
            };
            from = ends.find(is_end).map_or(text.len(), |(at, _)| from + at);
        }
        Some((start, next, tag))
    })
}

/// Returns where the code ends; a delimiter within quotes or brackets doesn't end it.
pub(super) fn end_of_code(code: &str, close: &str) -> Option<usize> {
    let (code, close) = (code.as_bytes(), close.as_bytes());
    let mut quote = None;
    let mut escaped = false;
    let mut depth = 0_usize;
    for (index, &byte) in code.iter().enumerate() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if depth == 0 && code[index..].starts_with(close) => return Some(index),
            None => match byte {
                b'"' | b'\'' => quote = Some(byte),
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
    }
    None
}

/// Splits the word off a statement: `{% if(a) %}` is an `if`, too.
pub(super) fn first_word(statement: &str) -> (&str, &str) {
    let statement = statement.trim();
    let end = statement.find(|c: char| !c.is_alphanumeric() && c != '_');
    statement.split_at(end.unwrap_or(statement.len()))
}

/// Reads `"name"` or `["name", "name"]` and what may follow; `None` if the name
/// is not a literal.
pub(super) fn names(rest: &str) -> Option<(Vec<String>, bool)> {
    let rest = rest.trim();
    let (names, behind) = match rest.strip_prefix('[') {
        Some(list) => {
            let (list, behind) = list.split_once(']')?;
            let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            (
                names
                    .map(|name| unquote(name).filter(|(_, rest)| rest.is_empty()))
                    .collect::<Option<Vec<_>>>()?,
                behind,
            )
        }
        None => {
            let name = unquote(rest)?;
            (vec![name], name.1)
        }
    };
    let behind = behind.trim();
    let (word, _) = first_word(behind);
    let known = matches!(word, "" | "ignore" | "with" | "without" | "import" | "as");
    let names = names.into_iter().map(|(name, _)| name.to_owned()).collect();
    known.then_some((names, word == "ignore"))
}

/// Splits a quoted text into the text in the quotes and the text after them.
fn unquote(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].split_once(quote)
}

/// Returns the files that a view extends, includes or imports in such a way, and its
/// own, with their texts.
#[cfg(feature = "views")]
pub(super) fn parts<'text>(
    view: &str,
    read: impl Fn(&str) -> Option<&'text str>,
    is_meant: impl Fn(&Include) -> bool,
) -> Vec<(String, &'text str)> {
    let mut found: Vec<(String, &str)> = Vec::new();
    let mut left = vec![view.to_owned()];
    while let Some(file) = left.pop() {
        if found.iter().all(|(known, _)| *known != file)
            && let Some(text) = read(&file)
        {
            let meant = includes(text).into_iter().filter(&is_meant);
            left.extend(meant.flat_map(|include| include.names));
            found.push((file, text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_templates_are_found() {
        let text = "{% extends 'base.html' %}\n{%- include \"a.html\" ignore missing -%}\n\
             {% from \"m.html\" import x %}{% include [\"b.html\", 'c.html'] %}\n\
             {% include name %}{% include \"a\" if b else \"c\" %}\n\
             {# {% include \"no.html\" %} #}{% raw %}{% include \"no.html\" %}{% endraw %}";
        let found: Vec<String> = includes(text)
            .into_iter()
            .map(|found| {
                format!("{} {} {}", found.line, found.names.join(" "), found.may_be_missing)
            })
            .collect();
        assert_eq!(
            found,
            [
                "1 base.html false",
                "2 a.html true",
                "3 m.html false",
                "3 b.html c.html false",
                "4  false",
                "4  false",
            ]
        );
    }

    #[test]
    fn what_the_server_fills_in_is_unknown_and_lines_stay() {
        let text = "a{{ \"}}\" ~ {'a': {}} }}b{# c\n #}d{% if x\n %}e{% raw %}{{ '{%{%- endraw %}{{ never ends";
        assert_eq!(blanked(text), "a\u{fffc}b\nd\u{fffc}\ne\u{fffc}{{ '{%\u{fffc}\u{fffc}");
    }
}
