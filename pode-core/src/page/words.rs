//! The filters, tests and functions that templates call, and those that there
//! are.

use std::collections::HashSet;

use minijinja::Environment;

use super::line_at;
use super::names::{POSITION, WORDS, names_given};
use super::template::{Tag, first_word, parts, tags};

/// A filter, test or function of a template that isn't there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// What it is called as.
    pub kind: Word,
    /// Its name.
    pub name: String,
}

/// The words that a template calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// `{{ name|filter }}`
    Filter,
    /// `{% if name is test %}`
    Test,
    /// `{{ function() }}`
    Function,
}

/// Returns the names that there are, sorted.
pub fn known(kind: Word) -> Vec<String> {
    let environment = environment();
    if kind == Word::Function {
        return environment.globals().map(|(name, _)| name.to_owned()).collect();
    }
    // Nothing else lists them.
    let shown = format!("{environment:?}");
    let field = if kind == Word::Filter { ", filters: " } else { ", tests: " };
    let list = shown.split_once(field).map_or("", |(_, behind)| behind);
    let list = list.split([']', '}']).next().unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Has the functions of servers. (The filters that they add replace others.)
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.add_function(POSITION, |_: &str| "");
    environment
}

/// Knows what the templates of a folder may call.
#[derive(Debug)]
pub struct Words<'text> {
    environment: Environment<'static>,
    /// The names that templates give to something of their own.
    bound: HashSet<&'text str>,
}

impl<'text> Words<'text> {
    /// Reads what templates give names to.
    pub fn of(templates: impl IntoIterator<Item = &'text str>) -> Words<'text> {
        let bound = templates.into_iter().flat_map(names_given).collect();
        Words { environment: environment(), bound }
    }

    /// Finds what a template calls and isn't there.
    pub fn unknown_in(&self, text: &str) -> Vec<Unknown> {
        let calls = calls(text);
        let mut found: Vec<Unknown> = Vec::new();
        for Call { at, kind, name } in &calls {
            let Some(kind) = *kind else { continue };
            let is_there = match kind {
                Word::Filter => self.has(name, "filter"),
                Word::Test => self.has(name, "test"),
                Word::Function => {
                    WORDS.contains(name)
                        || self.bound.contains(name)
                        || self.environment.globals().any(|(global, _)| global == *name)
                        // Asked for otherwise, it may be known to be missing.
                        || calls.iter().any(|other| other.name == *name && other.kind.is_none())
                }
            };
            if !is_there && !found.iter().any(|it| it.kind == kind && it.name == *name) {
                found.push(Unknown { line: line_at(text, *at), kind, name: (*name).to_owned() });
            }
        }
        // A template may ask whether there is one.
        let asks = || [" is filter", " is test"].iter().any(|asks| text.contains(asks));
        if found.is_empty() || asks() { Vec::new() } else { found }
    }

    /// Asks for a filter or a test of this name; nothing else tells of one.
    fn has(&self, name: &str, kind: &str) -> bool {
        let question = format!("'{name}' is {kind}");
        let asked = self.environment.compile_expression(&question);
        asked.and_then(|asked| asked.eval(())).is_ok_and(|there| there.is_true())
    }
}

/// A call of a function that a variable hides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// The file, as its folder names it.
    pub file: String,
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// The name of both.
    pub name: String,
}

/// Returns the calls of functions, in all that a view shows, by whose names it is given
/// variables; none of one by whose name a template gives something of its own. `read`
/// returns the text of a file.
pub fn hidden<'text>(
    view: &str,
    given: &[&str],
    read: impl Fn(&str) -> Option<&'text str>,
) -> Vec<Hidden> {
    let functions = known(Word::Function);
    let files = parts(view, read, |include| include.is_shown);
    let is_hidden = |call: &Call<'_>| {
        call.is_function()
            && given.contains(&call.name)
            && functions.iter().any(|function| function == call.name)
            && !files.iter().any(|(_, text)| names_given(text).contains(&call.name))
    };
    let of_file = |(file, text): &(String, &str)| {
        let calls = calls(text).into_iter().filter(is_hidden);
        let hidden = calls.map(|Call { at, name, .. }| Hidden {
            file: file.clone(),
            line: line_at(text, at),
            name: name.to_owned(),
        });
        hidden.collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}

/// A word in the code of a template.
pub(super) struct Call<'text> {
    pub(super) at: usize,
    pub(super) name: &'text str,
    /// `None` if it isn't called.
    kind: Option<Word>,
}

impl Call<'_> {
    pub(super) fn is_function(&self) -> bool {
        self.kind == Some(Word::Function)
    }
}

/// Returns the words of a template's code, and what they are called as.
pub(super) fn calls(text: &str) -> Vec<Call<'_>> {
    let mut found = Vec::new();
    for (.., tag) in tags(text) {
        let code = match tag {
            Tag::Expression(code) => code,
            Tag::Statement(code) => code,
            Tag::Comment => continue,
        };
        let word = if matches!(tag, Tag::Statement(_)) { first_word(code).0 } else { "" };
        let start = code.as_ptr() as usize - text.as_ptr() as usize;
        let mut words = words(code);
        if matches!(tag, Tag::Statement(_)) && !words.is_empty() {
            words.remove(0);
        }
        let mut before = "";
        for (index, Written { at, name, behind }) in words.iter().enumerate() {
            let is_test =
                before == "is" || before == "not" && index > 1 && words[index - 2].name == "is";
            let is_called = code[at + name.len()..].trim_start().starts_with('(');
            let kind = match behind {
                '.' => continue,
                '|' => Some(Word::Filter),
                _ if word == "filter" && index == 0 => Some(Word::Filter),
                _ if is_test && *name != "not" => Some(Word::Test),
                _ if is_called => Some(Word::Function),
                _ => None,
            };
            before = name;
            found.push(Call { at: start + at, name, kind });
        }
    }
    found
}

struct Written<'code> {
    at: usize,
    name: &'code str,
    /// The mark before it.
    behind: char,
}

/// Returns the words of code, but those in quotes.
fn words(code: &str) -> Vec<Written<'_>> {
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    let (mut found, mut at, mut behind) = (Vec::new(), 0, ' ');
    while let Some(character) = code[at..].chars().next() {
        if matches!(character, '"' | '\'') {
            let mut escaped = false;
            let end = code[at + 1..].find(|c| {
                let ends = c == character && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            at = end.map_or(code.len(), |end| at + 1 + end + 1);
            behind = character;
        } else if is_of_word(character) {
            let length = code[at..].find(|c| !is_of_word(c)).unwrap_or(code.len() - at);
            if !character.is_ascii_digit() {
                found.push(Written { at, name: &code[at..at + length], behind });
            }
            at += length;
            behind = 'a';
        } else {
            at += character.len_utf8();
            if !character.is_whitespace() {
                behind = character;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_hides_functions_unless_a_template_has_its_own() {
        let check = |files: &[(&str, &str)], given: &[&str], expected: &[&str]| {
            let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|it| it.1);
            let found = hidden(files[0].0, given, read);
            let found = found.iter().map(|it| format!("{}:{} {}", it.file, it.line, it.name));
            assert_eq!(found.collect::<Vec<_>>(), expected, "{files:?}");
        };
        let a = "{% extends 'b' %}{% include 'c' %}{% import 'd' as d %}\n{{ range(1) }}";
        let others = [("b", "{{ position('/b') }}"), ("c", "{{ dict() }} {{ range }}")];
        let imported = ("d", "{% macro m() %}{{ position('/d') }}{% endmacro %}");
        let files = [("a", a), others[0], others[1], imported];
        check(&files, &["position", "range"], &["a:2 range", "b:1 position"]);
        check(&files, &["name", "m", "d"], &[]);
        let own = ("d", "{% for range in [] %}{% endfor %}");
        let files = [("a", a), others[0], others[1], own];
        check(&files, &["range"], &["a:2 range"]);
        check(&[("a", own.1), others[0]], &["range"], &[]);
        check(&[("a", "{{ x.range(1) }}{{ 'range(1)' }}{{ range }}")], &["range"], &[]);
    }

    #[track_caller]
    fn check(text: &str, expected: &[(Word, &str)]) {
        let found = Words::of([text]).unknown_in(text);
        let found: Vec<_> = found.iter().map(|it| (it.kind, it.name.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_is_not_there_is_found() {
        check(
            "{{ a|capitalise }} {{ a | trim|shout(2)\n | trim }}{% if a is oddd and a is not evn %}{% endif %}",
            &[
                (Word::Filter, "capitalise"),
                (Word::Filter, "shout"),
                (Word::Test, "oddd"),
                (Word::Test, "evn"),
            ],
        );
        check(
            "{{ url_for('x') }}{% for a in pages(1) %}{% endfor %}{% filter shout %}{% endfilter %}{{ a.b() }}",
            &[(Word::Function, "url_for"), (Word::Function, "pages"), (Word::Filter, "shout")],
        );
        let found = Words::of([]).unknown_in("a\n{{ a|b }}\n{{ a|b }}");
        assert_eq!(found.first().map(|it| it.line), Some(2));
    }

    #[test]
    fn what_is_there_is_known() {
        for text in [
            "{{ a|e|default('|x')|tojson(indent=2)|urlencode|selectattr('x', 'eq', 1)|list }}",
            "{% if a is none or a is not defined and a is divisibleby(3) and a is eq 1 and a is in [1] %}{% elif (a) and not (b) %}{% endif %}",
            "{{ range(3) }}{{ dict(a=1) }}{{ debug() }}{{ position('/a') }}{{ super() }}{{ 'f(x)|y is z' }}{{ a in (1, 2) }}{{ a if (b) else (c) }}",
            "{% macro m(x, y=(1)) %}{{ caller() }}{% endmacro %}{{ m(1) }}{% call(x) m(1) %}{{ x }}{% endcall %}{% call m(2) %}{% endcall %}",
            "{% for x in xs recursive %}{{ loop(x.y) }}{{ loop.cycle('a') }}{% endfor %}{% import 'm' as n %}{{ n.x() }}",
            "{% from 'm' import k as l %}{{ l() }}{% set f = n %}{{ f() }}{% with (a) = 1 %}{% endwith %}",
            "{% raw %}{{ a|no }} {{ no() }}{% endraw %}{# {{ a|no }} #}",
            "{% if 'no' is filter %}{{ a|no }}{% endif %}",
            "{% if no is defined %}{{ no() }}{% endif %}{{ self.title() }}",
            "{{ a.is.it }} {{ a|map('upper') }} {{ not (a) }} {{ {'a': (1)} }}",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn all_names_are_listed() {
        for (kind, name, word) in
            [(Word::Filter, "urlencode", "x|"), (Word::Test, "divisibleby", "x is ")]
        {
            let names = known(kind);
            assert!(names.iter().any(|known| known == name), "{names:?}");
            let text: String = names
                .iter()
                .filter(|name| name.starts_with(char::is_alphabetic))
                .map(|name| format!("{{{{ {word}{name} }}}}"))
                .collect();
            check(&text, &[]);
        }
        assert!(known(Word::Function).contains(&"range".to_owned()));
    }
}
