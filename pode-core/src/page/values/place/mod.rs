//! Where in a page a value is printed: what has been read of HTML so far (HTML,
//! section 13.2.5).
//!
//! Where a page may go on in several ways, it has several states, and a value must
//! be safe in each of them. `tag` is the part about tags.

mod tag;

use self::tag::{Inside, MAX_KEPT, Tag, keep, plain_tag};
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

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Script(Script),
    Style,
    Text,
}

const COMMENT_ENDS: &[&str] = &["-->", "--!>"];

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
