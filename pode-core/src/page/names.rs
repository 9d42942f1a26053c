//! The names in the code of templates.

use super::template::{Tag, first_word, tags};

/// The name of the function that tells how far a signal has come.
pub(super) const POSITION: &str = "position";

/// Returns the names to which the statements of a template give values.
pub(super) fn names_given(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (.., tag) in tags(text) {
        let Tag::Statement(statement) = tag else { continue };
        match first_word(statement) {
            ("macro", code) => found.extend(names(code).map(|(_, name)| name)),
            // `{% call(parameters) macro() %}`
            ("call", code) => {
                let parameters = code.trim_start().strip_prefix('(');
                let parameters = parameters.and_then(|code| code.split(')').next());
                found.extend(names(parameters.unwrap_or_default()).map(|(_, name)| name));
            }
            (word @ ("for" | "with"), code) => found.extend(binds_within(word, code)),
            (word, code) => found.extend(binds(word, code)),
        }
    }
    found
}

/// Returns the names that a statement gives a value for all that follows.
pub(super) fn binds<'code>(word: &str, code: &'code str) -> impl Iterator<Item = &'code str> {
    let part = match word {
        "set" => &code[..code.find(['=', '|']).unwrap_or(code.len())],
        "macro" => &code[..code.find('(').unwrap_or(code.len())],
        "import" | "from" => code,
        _ => "",
    };
    names(part).map(|(_, name)| name)
}

/// Returns the names that a loop or a `with` gives a value within.
pub(super) fn binds_within<'code>(word: &str, code: &'code str) -> Vec<&'code str> {
    match word {
        "for" => names(code).map(|(_, name)| name).take_while(|name| *name != "in").collect(),
        _ => {
            let is_set = |(at, name): &(usize, &str)| {
                let behind = code[at + name.len()..].trim_start();
                behind.starts_with('=') && !behind.starts_with("==")
            };
            names(code).filter(is_set).map(|(_, name)| name).collect()
        }
    }
}

/// Returns the words in code that may be variables, and where they stand: not
/// those in quotes, after a dot, or after the `|` of a filter.
pub(super) fn names(code: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut at = 0;
    let mut last = ' ';
    std::iter::from_fn(move || {
        while let Some(character) = code[at..].chars().next() {
            let start = at;
            if matches!(character, '"' | '\'') {
                at += character.len_utf8();
                let mut escaped = false;
                while let Some(inner) = code[at..].chars().next() {
                    at += inner.len_utf8();
                    if inner == character && !escaped {
                        break;
                    }
                    escaped = inner == '\\' && !escaped;
                }
                last = '"';
            } else if is_of_word(character) {
                at += code[at..].find(|c| !is_of_word(c)).unwrap_or(code.len() - at);
                let before = std::mem::replace(&mut last, 'a');
                if !character.is_ascii_digit() && !matches!(before, '.' | '|') {
                    return Some((start, &code[start..at]));
                }
            } else {
                at += character.len_utf8();
                if !character.is_whitespace() {
                    last = character;
                }
            }
        }
        None
    })
}

/// Words of the language, which are no variables; `loop` and the like always
/// have a value where they mean something.
pub(super) const WORDS: [&str; 20] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "loop",
    "self",
    "super",
    "caller",
    "recursive",
    "varargs",
    "kwargs",
];
