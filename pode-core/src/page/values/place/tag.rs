//! What has been read of a tag: its name and its attributes.

use html5gum::{Token, Tokenizer};

use super::{At, Content, State, of_script};
use crate::page::UNKNOWN;
use crate::page::values::Spot;
use crate::page::values::script::Script;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) is_end: bool,
    pub(super) name: String,
    /// The value of `type`.
    pub(super) kind: Option<String>,
}

/// A place in a tag behind its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Before,
    /// `/`
    Slash,
    Name(String),
    /// Behind the name of an attribute.
    After(String),
    /// `name=`
    Equals(String),
    Value(Value),
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    name: String,
    pub(super) quote: Option<char>,
    /// What the value begins with, if its name makes that matter.
    begin: String,
    /// Whether the rest of the beginning is known only at run time.
    is_computed: bool,
    /// Whether it is run if it is a script.
    runs_attributes: bool,
    pub(super) script: Option<Script>,
}

/// Types of a `<script>` that are plainly data, and neither run nor read as JSON.
const TEXTS: [&str; 8] = [
    "text/template",
    "text/html",
    "text/plain",
    "text/markdown",
    "text/x-template",
    "text/x-handlebars",
    "text/x-handlebars-template",
    "text/ng-template",
];

/// How much is kept of names, and of the beginnings of values.
pub(super) const MAX_KEPT: usize = 64;

impl Inside {
    pub(super) fn step(
        self,
        tag: Tag,
        c: char,
        runs_attributes: bool,
        foreign: u8,
        next: &mut Vec<State>,
    ) {
        let lower = c.to_ascii_lowercase();
        let inside = match (self, c) {
            (Inside::Value(value), _) => {
                return value.step(tag, c, foreign, next);
            }
            (Inside::Equals(_), '>')
            | (Inside::Before | Inside::Name(_) | Inside::After(_), '>') => {
                return tag.end(false, foreign, next);
            }
            (Inside::Slash, '>') => return tag.end(true, foreign, next),
            (Inside::Equals(name), _) if c.is_ascii_whitespace() => Inside::Equals(name),
            (Inside::Equals(name), '"' | '\'') => {
                Inside::Value(Value::begin(&tag, name, Some(c), runs_attributes))
            }
            (Inside::Equals(name), _) => {
                let value = Value::begin(&tag, name, None, runs_attributes);
                return value.step(tag, c, foreign, next);
            }
            (Inside::Name(name) | Inside::After(name), '=') => Inside::Equals(name),
            (Inside::Name(name) | Inside::After(name), _) if c.is_ascii_whitespace() => {
                Inside::After(name)
            }
            (Inside::Name(mut name), _) if c != '/' => {
                keep(&mut name, lower);
                Inside::Name(name)
            }
            (_, '/') => Inside::Slash,
            _ if c.is_ascii_whitespace() => Inside::Before,
            _ => Inside::Name(lower.to_string()),
        };
        next.push(State { at: At::Tag(tag, inside), foreign });
    }

    pub(super) fn print(self, tag: &Tag, spots: &mut Vec<Spot>) -> Inside {
        let mut value = match self {
            Inside::Value(value) => value,
            // What attributes may run is looked at only within quotes.
            Inside::Equals(name) => Value::begin(tag, name, None, false),
            Inside::Name(mut name) => {
                keep(&mut name, UNKNOWN);
                spots.push(Spot::Name);
                return Inside::Name(name);
            }
            Inside::Before | Inside::Slash | Inside::After(_) => {
                spots.push(Spot::Name);
                return Inside::Name(UNKNOWN.to_string());
            }
        };
        value.print(tag, spots);
        Inside::Value(value)
    }
}

impl Value {
    fn begin(tag: &Tag, name: String, quote: Option<char>, runs_attributes: bool) -> Value {
        let is_script = runs_attributes && name.starts_with("on") && !tag.is_end;
        let script = is_script.then(Script::begin);
        Value { name, quote, begin: String::new(), is_computed: false, runs_attributes, script }
    }

    fn step(mut self, mut tag: Tag, c: char, foreign: u8, next: &mut Vec<State>) {
        let ends = match self.quote {
            Some(quote) => c == quote,
            None => c.is_ascii_whitespace() || c == '>',
        };
        if ends {
            if self.name == "type" && tag.kind.is_none() {
                let computed = self.is_computed.then_some(UNKNOWN);
                let kind = self.begin.chars().chain(computed).collect::<String>();
                tag.kind = Some(kind.to_ascii_lowercase());
            }
            return match c {
                '>' if self.quote.is_none() => tag.end(false, foreign, next),
                _ => next.push(State { at: At::Tag(tag, Inside::Before), foreign }),
            };
        }
        // Browsers leave out white space.
        if c > ' ' && self.keeps_begin() {
            keep(&mut self.begin, c);
        }
        let mut scripts = Vec::new();
        match self.script.take() {
            // It is read before it is run.
            Some(_) if c == '&' => scripts.push(Script::unknown()),
            Some(script) => script.step(c, &mut scripts),
            None => {
                next.push(State { at: At::Tag(tag, Inside::Value(self)), foreign });
                return;
            }
        }
        for script in scripts {
            let value = Value { script: Some(script), ..self.clone() };
            next.push(State { at: At::Tag(tag.clone(), Inside::Value(value)), foreign });
        }
    }

    /// Tells whether what follows may matter.
    pub(super) fn keeps_begin(&self) -> bool {
        let is_known = || !self.begin.contains('&') && says_where(&self.begin);
        !self.is_computed
            && BEGIN_MATTERS.contains(&self.name.as_str())
            && (self.name == "type" || !is_known())
    }

    fn print(&mut self, tag: &Tag, spots: &mut Vec<Spot>) {
        let of_address = self.of_address(tag);
        self.is_computed = true;
        match self.name.as_str() {
            "style" => return spots.push(Spot::StyleAttribute),
            "srcdoc" => return spots.push(Spot::Document),
            name if name.contains(UNKNOWN) => return spots.push(Spot::Name),
            _ => spots.extend(of_address),
        }
        spots.extend(self.script.as_mut().map(of_script));
        spots.push(match self.quote {
            None => Spot::Unquoted(self.name.clone()),
            Some('"') => Spot::DoubleQuotes(self.name.clone()),
            Some(_) => Spot::Text,
        });
    }

    /// Tells whether the value is a script, or may say where one comes from.
    fn of_address(&self, tag: &Tag) -> Option<Spot> {
        if self.is_computed || !BEGIN_MATTERS.contains(&self.name.as_str()) {
            return None;
        }
        let begin = decoded(&self.begin).to_ascii_lowercase();
        let begin: String = begin.chars().filter(|c| *c > ' ').collect();
        let is_source = match tag.name.as_str() {
            "script" => self.name != "type",
            "base" => self.name == "href",
            _ => false,
        };
        match is_source && (begin.starts_with("data:") || !says_where(&begin)) {
            true => Some(Spot::Address(self.name.clone())),
            // Its escapes are read before it is run.
            false if begin.starts_with("javascript:") && self.runs_attributes => Some(Spot::NoCode),
            false => None,
        }
    }
}

/// Attributes whose beginning is kept.
const BEGIN_MATTERS: [&str; 7] =
    ["type", "href", "xlink:href", "src", "action", "formaction", "data"];

/// Returns the beginning of a value as a browser reads it, but for quotes.
fn decoded(begin: &str) -> String {
    let begin = begin.replace('"', "");
    if !begin.contains('&') {
        return begin;
    }
    let page = format!("<a a=\"{begin}\">");
    let Some(Ok(Token::StartTag(tag))) = Tokenizer::new(&page).next() else {
        return begin;
    };
    tag.attributes.values().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// Tells whether what follows this beginning of an address is a part of its path.
fn says_where(begin: &str) -> bool {
    let rest = ["https:", "http:"].iter().find_map(|scheme| begin.strip_prefix(scheme));
    let path = rest.unwrap_or(begin).replace('\\', "/");
    match path.strip_prefix("//") {
        Some(host) => host.trim_start_matches('/').contains(['/', '?', '#']),
        None if path.starts_with('/') => path.len() > 1,
        None => path.contains(['/', '?', '#']),
    }
}

impl Tag {
    /// Reads the end of the tag.
    pub(super) fn end(self, closes_itself: bool, foreign: u8, next: &mut Vec<State>) {
        let foreign_behind = match self.name.as_str() {
            "svg" | "math" if self.is_end => foreign.saturating_sub(1),
            "svg" | "math" if !closes_itself => (foreign + 1).min(4),
            _ => foreign,
        };
        let content = match self.name.as_str() {
            _ if self.is_end => None,
            "script" => Some(match self.kind {
                Some(kind) if TEXTS.contains(&kind.as_str()) => Content::Text,
                // Its text is read as that of other elements.
                _ if foreign > 0 => Content::Script(Script::unknown()),
                _ => Content::Script(Script::begin()),
            }),
            "style" => Some(Content::Style),
            "title" | "textarea" | "xmp" | "iframe" | "noembed" | "noframes" | "noscript"
            | "plaintext" => Some(Content::Text),
            _ => None,
        };
        let has_elements = match self.name.as_str() {
            // Where scripts don't run.
            "noscript" => true,
            "script" => foreign > 0 && closes_itself,
            _ => foreign > 0,
        };
        if content.is_none() || has_elements {
            next.push(State { at: At::Text, foreign: foreign_behind });
        }
        if let Some(content) = content {
            let (element, tail) = (self.name, String::new());
            next.push(State { at: At::Raw { element, content, tail, escaped: 0 }, foreign });
        }
    }
}

/// Returns the length of the tag that a text begins with; 0 unless it is whole, written
/// in the usual way, and behind it the page goes on as before it.
pub(super) fn plain_tag(text: &str) -> usize {
    let bytes = text.as_bytes();
    let while_of = |at: usize, is: fn(&u8) -> bool| {
        at + bytes[at..].iter().take_while(|byte| is(byte)).count()
    };
    let begin = match bytes {
        [b'<', b'/', ..] => 2,
        [b'<', ..] => 1,
        _ => return 0,
    };
    let mut at = while_of(begin, u8::is_ascii_alphanumeric);
    let name = &text[begin..at];
    if !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || SPECIAL.iter().any(|special| special.eq_ignore_ascii_case(name))
    {
        return 0;
    }
    loop {
        let behind = while_of(at, |byte| matches!(byte, b' ' | b'\t' | b'\n'));
        let is_apart = behind > at;
        at = behind;
        match bytes[at..] {
            [b'>', ..] => return at + 1,
            [b'/', b'>', ..] => return at + 2,
            [byte, ..] if is_apart && is_of_attribute(&byte) => {}
            _ => return 0,
        }
        at = while_of(at, is_of_attribute);
        if let [b'=', quote @ (b'"' | b'\''), ..] = bytes[at..] {
            let value = at + 2;
            let Some(length) = text[value..].find(char::from(quote)) else { return 0 };
            at = value + length + 1;
        }
    }
}

fn is_of_attribute(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':')
}

/// The elements behind whose tags a page is read otherwise.
const SPECIAL: [&str; 12] = [
    "svg",
    "math",
    "script",
    "style",
    "title",
    "textarea",
    "xmp",
    "iframe",
    "noembed",
    "noframes",
    "noscript",
    "plaintext",
];

/// Keeps a character of a name, or of what a value begins with.
pub(super) fn keep(text: &mut String, c: char) {
    if text.len() < MAX_KEPT {
        text.push(c);
    }
}
