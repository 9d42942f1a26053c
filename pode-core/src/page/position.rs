//! Calls of `position("/chat")`, the function of templates that tells how far a
//! signal has come.

use super::names::{POSITION, names, names_given};
use super::template::{end_of_code, parts};
use super::words::{Call, calls};
use super::{UNKNOWN, line_at};

/// A call of `position(…)` in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionCall {
    /// The file, as its folder names it.
    pub file: String,
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// What stands in its parentheses.
    pub code: String,
    /// The variable with which that begins, unless a template gives it a value.
    pub variable: Option<String>,
    /// The path, with [`UNKNOWN`] for what only the running server knows; `None` if
    /// there isn't exactly one argument.
    pub path: Option<String>,
}

/// Returns the calls in all that a view is made of; none if a template gives the
/// name to something else. `read` returns the text of a file.
pub fn positions<'text>(
    view: &str,
    read: impl Fn(&str) -> Option<&'text str>,
) -> Vec<PositionCall> {
    let files = parts(view, read, |_| true);
    if !files.iter().any(|(_, text)| text.contains(POSITION)) {
        return Vec::new();
    }
    let given: Vec<&str> = files.iter().flat_map(|(_, text)| names_given(text)).collect();
    let mut found = Vec::new();
    for (file, text) in files.iter().filter(|_| !given.contains(&POSITION)) {
        let is_it = |call: &Call<'_>| call.is_function() && call.name == POSITION;
        for call in calls(text).into_iter().filter(is_it) {
            let behind = text[call.at + POSITION.len()..].trim_start();
            let code = behind.strip_prefix('(').unwrap_or_default();
            let code = &code[..end_of_code(code, ")").unwrap_or(0)];
            let path = match split(code, ",")[..] {
                [argument] => path(argument),
                _ => None,
            };
            let begin = code.len() - code.trim_start().len();
            let variable = names(code)
                .next()
                .filter(|(at, name)| *at == begin && !given.contains(name))
                .map(|(_, name)| name.to_owned());
            let (file, code, line) = (file.clone(), code.to_owned(), line_at(text, call.at));
            found.push(PositionCall { file, line, code, variable, path });
        }
    }
    found
}

/// Tells whether nothing that a view is made of gives the name of the function to
/// something else.
pub(super) fn is_the_function<'text>(
    view: &str,
    read: impl Fn(&str) -> Option<&'text str>,
) -> bool {
    let files = parts(view, read, |_| true);
    files.iter().all(|(_, text)| !names_given(text).contains(&POSITION))
}

/// Returns the path that an argument makes of texts and variables by `~`; `None` of
/// an argument that is named, or none.
fn path(argument: &str) -> Option<String> {
    let is_named = argument.split_once('=').is_some_and(|(name, value)| {
        let mut words = names(name);
        words.next().is_some_and(|(_, word)| word == name.trim()) && !value.starts_with('=')
    });
    if is_named || argument.trim().is_empty() {
        return None;
    }
    // Which of two values, or whether one is there, isn't looked into.
    let decides = |word| matches!(word, "if" | "or" | "and" | "not" | "in" | "is");
    if names(argument).any(|(_, word)| decides(word)) {
        return Some(UNKNOWN.to_string());
    }
    let text = |part: &str| match literal(part.trim()) {
        Some(text) => text.to_owned(),
        None => UNKNOWN.to_string(),
    };
    Some(split(argument, "~").into_iter().map(text).collect())
}

/// Returns what stands between quotes, if it is that alone.
fn literal(part: &str) -> Option<&str> {
    let quote = part.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    part[1..].strip_suffix(quote).filter(|text| !text.contains([quote, '\\']))
}

/// Splits code where this stands outside of quotes and brackets.
fn split<'code>(mut code: &'code str, by: &str) -> Vec<&'code str> {
    let mut parts = Vec::new();
    while let Some(end) = end_of_code(code, by) {
        parts.push(&code[..end]);
        code = &code[end + by.len()..];
    }
    parts.push(code);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[(&str, usize, Option<&str>)]) {
        let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, it)| *it);
        let found = positions(files[0].0, read);
        let found = found.iter().map(|it| {
            (&*it.file, it.line, it.path.as_ref().map(|path| path.replace(UNKNOWN, "…")))
        });
        let expected =
            expected.iter().map(|(file, line, path)| (*file, *line, path.map(str::to_owned)));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{}", files[0].1);
    }

    #[test]
    fn the_paths_of_calls_are_read() {
        for (argument, path) in [
            ("\"/chat\"", Some("/chat")),
            (" '/a,b' ", Some("/a,b")),
            ("\"/rooms/\" ~ room|urlencode ~ '/x'", Some("/rooms/…/x")),
            ("\"/rooms/\" ~ rooms[f('~')]", Some("/rooms/…")),
            ("path", Some("…")),
            ("\"/a\" ~ b if c else '/d'", Some("…")),
            ("'/a'|upper", Some("…")),
            ("'/a' == b", Some("…")),
            ("'/\\u0061'", Some("…")),
            ("'/a', '/b'", None),
            ("path='/a'", None),
            ("", None),
        ] {
            check(&[("a", &format!("\n{{{{- position({argument}) }}}}"))], &[("a", 2, path)]);
        }
        check(
            &[("a", "{% set x = position\n ('/a') %}{{ x ~ position('/b') }}")],
            &[("a", 1, Some("/a")), ("a", 2, Some("/b"))],
        );
        for text in [
            "{{ position }}{{ x.position('/a') }}{{ x|position('/a') }}{{ 'position(1)' }}",
            "{# {{ position('/a') }} #}{% raw %}{{ position('/a') }}{% endraw %}position('/a')",
        ] {
            check(&[("a", text)], &[]);
        }
    }

    #[test]
    fn a_view_is_read_with_its_parts_unless_one_of_them_has_the_name() {
        let view = "{% extends 'b' %}{% block x %}{% include ['c', 'd'] %}{% endblock %}";
        let (b, c) = (("b", "{{ position('/b') }}"), ("c", "{% include 'a' %}{{ position(1) }}"));
        let others = [("d", "{{ position('/d') }}"), ("e", "{{ position('/e') }}")];
        check(
            &[("a", view), b, c, others[0], others[1]],
            &[("d", 1, Some("/d")), ("c", 1, Some("…")), ("b", 1, Some("/b"))],
        );
        for own in [
            "{% macro position(x) %}{% endmacro %}",
            "{% from 'm' import at as position %}",
            "{% for position in [1] %}{% endfor %}",
            "{% with position = 1 %}{% endwith %}",
            "{% set position = 1 %}",
            "{% macro m(position) %}{% endmacro %}",
            "{% call(position) m() %}{% endcall %}",
        ] {
            check(&[("a", view), b, c, ("d", own)], &[]);
        }
    }
}
