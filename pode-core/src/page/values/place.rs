//! Where in a page a value is printed: what has been read of HTML so far (HTML,
//! section 13.2.5).
//!
//! Where a page may go on in several ways, it has several states, and a value must
//! be safe in each of them.

use html5gum::{Token, Tokenizer};

use super::Spot;
use super::script::{Into, Script};
use crate::page::UNKNOWN;

/// The states in which a page may be, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct States(Vec<State>);

/// The most states that a page may have at one place.
const MAX_STATES: usize = 32;

/// How a page stands at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    at: At,
    /// How many `<svg>` and `<math>` are open, whose `<style>` and `<title>` have
    /// elements.
    foreign: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    Text,
    /// `<`
    Less,
    /// `</`
    EndTag,
    TagName(Tag),
    Tag(Tag, Inside),
    /// `<!` and what follows.
    Declaration(String),
    /// Up to this text, of which the latter part may have been read.
    Until(&'static [&'static str], String),
    /// In an element without elements.
    Raw {
        element: String,
        content: Content,
        /// What may be the beginning of its end.
        tail: String,
        /// 1 behind `<!--`, 2 behind `<script` there, where `</script>` ends that.
        escaped: u8,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tag {
    is_end: bool,
    name: String,
    /// The value of `type`.
    kind: Option<String>,
}

/// A place in a tag behind its name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Inside {
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
struct Value {
    name: String,
    quote: Option<char>,
    /// What the value begins with, if its name makes that matter.
    begin: String,
    /// Whether the rest of the beginning is known only at run time.
    is_computed: bool,
    /// Whether it is run if it is a script.
    runs_attributes: bool,
    script: Option<Script>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Script(Script),
    Style,
    Text,
}

const COMMENT_ENDS: &[&str] = &["-->", "--!>"];

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
const MAX_KEPT: usize = 64;

impl States {
    /// The beginning of a page.
    pub(super) fn begin() -> States {
        States(vec![State { at: At::Text, foreign: 0 }])
    }

    pub(super) fn is_text(&self) -> bool {
        self.0.iter().all(|state| state.at == At::Text)
    }

    pub(super) fn are_too_many(&self) -> bool {
        self.0.len() > MAX_STATES
    }

    /// Adds other states.
    pub(super) fn add(&mut self, other: States) {
        for state in other.0 {
            if !self.0.contains(&state) {
                self.0.push(state);
            }
        }
    }

    /// Reads text; `runs_attributes` tells whether scripts in attributes are run.
    pub(super) fn read(self, text: &str, runs_attributes: bool) -> States {
        let mut states = self.0;
        let mut next = Vec::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            // Most of a page.
            if let [state] = &mut states[..]
                && let length @ 1.. = state.run(&text[at..])
            {
                at += length;
                continue;
            }
            at += c.len_utf8();
            // Browsers leave out those before `\n`.
            if c == '\r' {
                continue;
            }
            for state in states.drain(..) {
                state.step(c, runs_attributes, &mut next);
            }
            std::mem::swap(&mut states, &mut next);
            if states.len() > 1 {
                let mut all = States::default();
                all.add(States(std::mem::take(&mut states)));
                states = all.0;
            }
        }
        States(states)
    }

    /// Prints a value, and returns where it may stand.
    pub(super) fn print(self) -> (States, Vec<Spot>) {
        let (mut states, mut spots) = (States::default(), Vec::new());
        self.0.into_iter().for_each(|state| states.add(state.print(&mut spots)));
        (states, spots)
    }
}

impl State {
    /// Reads what most of a page is made of at once, and returns its length.
    fn run(&mut self, text: &str) -> usize {
        match &mut self.at {
            At::Text => {
                let mut at = text.find('<').unwrap_or(text.len());
                while let length @ 1.. = plain_tag(&text[at..]) {
                    at += length;
                    at += text[at..].find('<').unwrap_or(text[at..].len());
                }
                at
            }
            At::TagName(Tag { name, .. }) | At::Tag(_, Inside::Name(name)) => {
                let end = text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(text.len());
                let length = if name.len() + end > MAX_KEPT { 0 } else { end };
                name.push_str(&text[..length]);
                length
            }
            At::Tag(_, Inside::Value(value)) => match value.quote {
                Some(quote) if value.script.is_none() && !value.keeps_begin() => {
                    text.find(quote).unwrap_or(text.len())
                }
                _ => 0,
            },
            At::Raw { content, tail, .. } if tail.is_empty() => match content {
                Content::Script(script) => script.run(text),
                Content::Style | Content::Text => text.find(['<', '-']).unwrap_or(text.len()),
            },
            At::Tag(_, Inside::Before) => {
                text.find(|c: char| !c.is_ascii_whitespace()).unwrap_or(text.len())
            }
            At::Until(ends, tail) if tail.is_empty() => {
                text.find(|c| ends.iter().any(|end| end.starts_with(c))).unwrap_or(text.len())
            }
            _ => 0,
        }
    }

    fn step(self, c: char, runs_attributes: bool, next: &mut Vec<State>) {
        let foreign = self.foreign;
        let mut to = |at| next.push(State { at, foreign });
        let lower = c.to_ascii_lowercase();
        match self.at {
            At::Text => to(if c == '<' { At::Less } else { At::Text }),
            At::Less => to(match c {
                '/' => At::EndTag,
                '!' => At::Declaration(String::new()),
                '?' => At::Until(&[">"], String::new()),
                '<' => At::Less,
                _ if c.is_ascii_alphabetic() => {
                    At::TagName(Tag { name: lower.to_string(), ..Tag::default() })
                }
                _ => At::Text,
            }),
            At::EndTag => to(match c {
                '>' => At::Text,
                _ if c.is_ascii_alphabetic() => {
                    let name = lower.to_string();
                    At::TagName(Tag { is_end: true, name, ..Tag::default() })
                }
                _ => At::Until(&[">"], String::new()),
            }),
            At::Declaration(mut begin) => {
                begin.push(lower);
                // Elsewhere it is a comment up to `>`.
                if begin == "[cdata[" && foreign > 0 {
                    to(At::Until(&["]]>"], String::new()));
                }
                to(match begin.as_str() {
                    // These are whole.
                    "-->" | "--->" => At::Text,
                    "--" | "---" => At::Declaration(begin),
                    _ if begin.starts_with("--") => {
                        let mut tail = String::new();
                        begin[2..].chars().for_each(|c| _ = read_on(&mut tail, c, COMMENT_ENDS));
                        At::Until(COMMENT_ENDS, tail)
                    }
                    _ if c == '>' => At::Text,
                    "-" => At::Declaration(begin),
                    "[cdata[" => At::Until(&[">"], String::new()),
                    _ if "[cdata[".starts_with(&begin) => At::Declaration(begin),
                    _ => At::Until(&[">"], String::new()),
                });
            }
            At::Until(ends, mut tail) => to(match read_on(&mut tail, c, ends) {
                true => At::Text,
                false => At::Until(ends, tail),
            }),
            At::TagName(mut tag) => match c {
                '>' => tag.end(false, foreign, next),
                '/' => to(At::Tag(tag, Inside::Slash)),
                _ if c.is_ascii_whitespace() => to(At::Tag(tag, Inside::Before)),
                _ => {
                    keep(&mut tag.name, lower);
                    to(At::TagName(tag));
                }
            },
            At::Tag(tag, inside) => inside.step(tag, c, runs_attributes, foreign, next),
            At::Raw { element, content, tail, escaped } => {
                raw(element, content, tail, escaped, c, foreign, next);
            }
        }
    }

    /// Prints a value, adds where that stands, and returns what may follow.
    fn print(self, spots: &mut Vec<Spot>) -> States {
        let foreign = self.foreign;
        let to = |at| States(vec![State { at, foreign }]);
        let spot = match &self.at {
            At::Text | At::Until(..) => Some(Spot::Text),
            At::Declaration(begin) if begin.starts_with("--") => Some(Spot::Text),
            At::Less | At::EndTag | At::TagName(_) | At::Declaration(_) => Some(Spot::Name),
            At::Tag(..) | At::Raw { .. } => None,
        };
        spots.extend(spot);
        let computed =
            |is_end| At::TagName(Tag { is_end, name: UNKNOWN.to_string(), ..Tag::default() });
        match self.at {
            At::Text => to(At::Text),
            At::Less => to(computed(false)),
            At::EndTag => to(computed(true)),
            At::TagName(mut tag) => {
                keep(&mut tag.name, UNKNOWN);
                to(At::TagName(tag))
            }
            At::Declaration(begin) if begin.starts_with("--") => {
                to(At::Until(COMMENT_ENDS, String::new()))
            }
            At::Declaration(_) => to(At::Until(&[">"], String::new())),
            At::Until(ends, _) => {
                // It may be all of the end but its last character.
                let almost = ends[0][..ends[0].len() - 1].to_owned();
                let mut states = to(At::Until(ends, String::new()));
                states.add(to(At::Until(ends, almost)));
                states
            }
            At::Tag(tag, inside) => {
                let inside = inside.print(&tag, spots);
                to(At::Tag(tag, inside))
            }
            At::Raw { element, mut content, tail, escaped } => {
                spots.push(match &mut content {
                    Content::Script(script) => of_script(script),
                    Content::Style => Spot::Style,
                    Content::Text if tail.is_empty() => Spot::Text,
                    Content::Text => Spot::Name,
                });
                to(At::Raw { element, content, tail: String::new(), escaped })
            }
        }
    }
}

fn of_script(script: &mut Script) -> Spot {
    match script.print() {
        Into::Code => Spot::Script,
        Into::Quotes => Spot::Quotes,
        Into::Other => Spot::NoCode,
    }
}

impl Inside {
    fn step(self, tag: Tag, c: char, runs_attributes: bool, foreign: u8, next: &mut Vec<State>) {
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

    fn print(self, tag: &Tag, spots: &mut Vec<Spot>) -> Inside {
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
    fn keeps_begin(&self) -> bool {
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
    fn end(self, closes_itself: bool, foreign: u8, next: &mut Vec<State>) {
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
fn plain_tag(text: &str) -> usize {
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

/// Reads a character in an element without elements.
fn raw(
    element: String,
    content: Content,
    mut tail: String,
    mut escaped: u8,
    c: char,
    foreign: u8,
    next: &mut Vec<State>,
) {
    let mut begins_comment = false;
    if !tail.is_empty() || matches!(c, '<' | '-') {
        let ends_name = c.is_ascii_whitespace() || matches!(c, '/' | '>');
        let end = format!("</{element}");
        if ends_name && tail == end && escaped < 2 {
            let tag = Tag { is_end: true, name: element, kind: None };
            return match c {
                '>' => tag.end(false, foreign, next),
                '/' => next.push(State { at: At::Tag(tag, Inside::Slash), foreign }),
                _ => next.push(State { at: At::Tag(tag, Inside::Before), foreign }),
            };
        }
        if element == "script" {
            escaped = match tail.as_str() {
                "<script" if ends_name && escaped == 1 => 2,
                _ if ends_name && tail == end => 1,
                _ => escaped,
            };
            if read_on(&mut tail, c.to_ascii_lowercase(), &[&end, "<!--", "-->", "<script"]) {
                escaped = match tail.as_str() {
                    "<!--" => escaped.max(1),
                    "-->" => 0,
                    _ => escaped,
                };
                begins_comment = tail == "<!--";
            }
        } else {
            read_on(&mut tail, c.to_ascii_lowercase(), &[&end]);
        }
    }
    let mut to = |content, element, tail| {
        next.push(State { at: At::Raw { element, content, tail, escaped }, foreign });
    };
    match content {
        Content::Script(script) => {
            let mut scripts = Vec::with_capacity(1);
            script.step(c, &mut scripts);
            if begins_comment {
                scripts.iter_mut().for_each(Script::begin_html_comment);
            }
            let last = scripts.pop();
            for script in scripts {
                to(Content::Script(script), element.clone(), tail.clone());
            }
            // Mostly the only one.
            if let Some(script) = last {
                to(Content::Script(script), element, tail);
            }
        }
        content => to(content, element, tail),
    }
}

/// Adds a character to what may be the beginning of one of these texts, and tells
/// whether that is one.
fn read_on(tail: &mut String, c: char, texts: &[&str]) -> bool {
    tail.push(c);
    while !texts.iter().any(|text| text.starts_with(tail.as_str())) {
        tail.remove(0);
    }
    texts.contains(&tail.as_str())
}

/// Keeps a character of a name, or of what a value begins with.
fn keep(text: &mut String, c: char) {
    if text.len() < MAX_KEPT {
        text.push(c);
    }
}
