//! What templates print where the escaping for HTML doesn't protect: in scripts,
//! styles, and attributes without quotes.
//!
//! What an expression prints is never guessed: it is run with values that show
//! up in its output. A name that a statement gives a value is followed as far as
//! that is sure, and otherwise taken for harmless.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::html::{Html, is_code};
use super::template::{Tag, first_word, tags};
use super::variables::{WORDS, begins_body, names};
use super::{UNKNOWN, script};
use html5gum::Token;

/// An expression that prints what may end the text in which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsafe {
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// Its code.
    pub code: String,
    /// Where it stands.
    pub spot: Spot,
}

/// Where an expression stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// In a script, as text escaped for HTML.
    Script,
    /// In quotes of a script, as JSON.
    Quotes,
    /// In a style.
    Style,
    /// In the value of this attribute, which isn't quoted.
    Unquoted(String),
    /// In double quotes of this attribute, as JSON.
    DoubleQuotes(String),
}

/// Knows what the expressions of a folder's templates print.
#[derive(Debug)]
pub struct Values {
    environment: Environment<'static>,
    /// Names whose values aren't known to be what a page was given.
    harmless: HashSet<String>,
    /// What was found out of expressions.
    known: RefCell<HashMap<String, Option<Printed>>>,
}

impl Values {
    /// Reads what templates give names to.
    pub fn of<'text>(templates: impl IntoIterator<Item = &'text str>) -> Values {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        let (harmless, known) = Default::default();
        let mut values = Values { environment, harmless, known };
        let mut bound: HashMap<&str, Vec<&str>> = HashMap::new();
        for (.., tag) in templates.into_iter().flat_map(tags) {
            let Tag::Statement(statement) = tag else { continue };
            match binding(statement) {
                Binding::None => {}
                Binding::To(name, code) => bound.entry(name).or_default().push(code),
                Binding::Unknown(code) => {
                    values.harmless.extend(names(code).map(|(_, name)| name.to_owned()));
                }
            }
        }
        // One may be made from another.
        loop {
            let before = values.harmless.len();
            for (name, codes) in &bound {
                let is_text = |code: &&str| {
                    matches!(values.printed(code, &values.harmless), Some(Printed::Text))
                };
                if !codes.iter().all(is_text) {
                    values.harmless.insert((*name).to_owned());
                }
            }
            if values.harmless.len() == before {
                return values;
            }
        }
    }

    /// Finds the expressions of a template that print where the escaping for HTML
    /// doesn't protect; `attributes` tells whether to look at scripts in
    /// attributes.
    pub fn unsafe_in(&self, html: &Html<'_>, attributes: bool) -> Vec<Unsafe> {
        let Html { page, replaced, lines, .. } = html;
        let own = self.with_parameters(replaced);
        let printed = |code| match &own {
            Some(harmless) => self.printed(code, harmless),
            None => self.known(code),
        };
        let judged: Vec<_> =
            judged(replaced).filter_map(|(at, code)| Some((at, code, printed(code)?))).collect();
        if judged.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (range, place) in places(html, attributes) {
            let inside = judged.iter().filter(|(at, ..)| range.contains(at));
            found.extend(inside.filter_map(|(at, code, printed)| {
                let is_statement = |at: &usize| {
                    replaced
                        .iter()
                        .any(|(other, tag)| other == at && matches!(tag, Tag::Statement(_)))
                };
                let spot = match (&place, printed) {
                    (Place::Script, Printed::Text) => Spot::Script,
                    (Place::Script, Printed::Json) => {
                        let since = script::quoted_since(&page[range.clone()], at - range.start)?;
                        // A statement may have ended the string.
                        let mut between = range.start + since..*at;
                        if between.any(|at| is_statement(&at)) {
                            return None;
                        }
                        Spot::Quotes
                    }
                    (Place::Style, _) => Spot::Style,
                    (Place::Unquoted(name), _) => Spot::Unquoted(name.clone()),
                    (Place::DoubleQuotes(_), Printed::Text) => return None,
                    (Place::DoubleQuotes(name), Printed::Json) => Spot::DoubleQuotes(name.clone()),
                };
                Some((*at, Unsafe { line: lines.at(*at), code: code.trim().to_owned(), spot }))
            }));
        }
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, it)| it).collect()
    }

    /// Adds the parameters of macros, which are known in their own file; `None` if
    /// there are none.
    fn with_parameters(&self, replaced: &[(usize, Tag<'_>)]) -> Option<HashSet<String>> {
        let parameters = replaced.iter().filter_map(|(_, tag)| match tag {
            Tag::Statement(statement) => match first_word(statement) {
                ("macro" | "call", code) => Some(names(code).map(|(_, name)| name.to_owned())),
                _ => None,
            },
            _ => None,
        });
        let parameters: Vec<String> = parameters.flatten().collect();
        (!parameters.is_empty()).then(|| self.harmless.iter().cloned().chain(parameters).collect())
    }

    /// What an expression prints in a file without macros; many files of a folder
    /// print the same.
    fn known(&self, code: &str) -> Option<Printed> {
        if let Some(known) = self.known.borrow().get(code) {
            return *known;
        }
        let printed = self.printed(code, &self.harmless);
        self.known.borrow_mut().insert(code.to_owned(), printed);
        printed
    }

    /// Runs an expression with values that its output shows.
    fn printed(&self, code: &str, harmless: &HashSet<String>) -> Option<Printed> {
        // What is multiplied is meant to be a number, though texts can be repeated.
        if code.contains('*') {
            return None;
        }
        let piece = format!("{{{{ {code} }}}}");
        let template = self.environment.template_from_str(&piece).ok()?;
        let mut free = template.undeclared_variables(false);
        free.retain(|name| self.environment.globals().all(|(global, _)| global != name));
        let is_harmless = |name: &str| WORDS.contains(&name) || harmless.contains(name);
        if free.iter().all(|name| is_harmless(name)) {
            return None;
        }
        let text = Value::from(TEXT);
        let ends = [text.clone(), Value::from(vec![text])];
        // As many as a path may have: `user.address.city`.
        let tried = (0..4).flat_map(|depth| ends.clone().map(|end| nested(depth, end)));
        tried.into_iter().find_map(|given| {
            let given = free.iter().map(|name| {
                let value = if is_harmless(name) { Value::from(1) } else { given.clone() };
                (name.clone(), value)
            });
            let output = template
                .render(Value::from(given.collect::<BTreeMap<_, _>>()))
                .ok()?
                .to_lowercase();
            let shows = |escaped: &str| output.contains(&format!("{escaped}pode"));
            match () {
                () if shows("&lt;") => Some(Printed::Text),
                () if shows("\\u003c") => Some(Printed::Json),
                () => None,
            }
        })
    }
}

/// Shows in an output how it was escaped; in none that the user declares safe.
const TEXT: &str = "<pode>";

/// How the values that a page is given are printed.
#[derive(Clone, Copy, Debug)]
enum Printed {
    /// Escaped for HTML.
    Text,
    /// As JSON, by `tojson`.
    Json,
}

fn nested(depth: usize, end: Value) -> Value {
    (0..depth).fold(end, |inner, _| Value::from_object(Nested(inner)))
}

/// Has the same value under each name.
#[derive(Debug)]
struct Nested(Value);

impl Object for Nested {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(self.0.clone())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TEXT)
    }
}

enum Binding<'code> {
    None,
    /// A name, and the expression from which its value comes.
    To(&'code str, &'code str),
    /// Code whose names get values that aren't followed.
    Unknown(&'code str),
}

/// Returns what a statement gives a value; the parameters of macros aside.
fn binding(statement: &str) -> Binding<'_> {
    let (word, code) = first_word(statement);
    let split = match word {
        "set" if begins_body(word, code) => None,
        "set" => code.split_once('='),
        "for" => code.split_once(" in "),
        "with" | "import" | "from" => None,
        _ => return Binding::None,
    };
    match split {
        Some((name, code)) if names(name).count() == 1 => {
            let end = if word == "for" { code.find(" if ") } else { None };
            Binding::To(name.trim(), &code[..end.unwrap_or(code.len())])
        }
        Some((several, _)) => Binding::Unknown(several),
        None => Binding::Unknown(code),
    }
}

/// Returns the expressions, but those that stand for themselves, or whose output
/// is changed.
fn judged<'text>(
    replaced: &'text [(usize, Tag<'text>)],
) -> impl Iterator<Item = (usize, &'text str)> {
    let (mut raw, mut changed) = (false, 0);
    replaced.iter().filter_map(move |(at, tag)| {
        match tag {
            Tag::Expression(code) if !raw && changed == 0 => return Some((*at, *code)),
            Tag::Statement(statement) => match first_word(statement).0 {
                "endraw" => raw = false,
                _ if raw => {}
                "raw" => raw = true,
                "filter" | "autoescape" => changed += 1,
                "endfilter" | "endautoescape" => changed -= 1,
                _ => {}
            },
            _ => {}
        }
        None
    })
}

/// A part of a page in which the escaping for HTML isn't enough.
enum Place {
    Script,
    Style,
    Unquoted(String),
    DoubleQuotes(String),
}

fn places(html: &Html<'_>, attributes: bool) -> Vec<(Range<usize>, Place)> {
    let page = html.page.as_str();
    let mut found = Vec::new();
    // The start of the script or style that is open.
    let mut open: Option<(usize, Place)> = None;
    for token in &html.tokens {
        match token {
            Token::StartTag(tag) => {
                let mut kind = String::new();
                for (name, value) in &tag.attributes {
                    let begins = value.span.start + name.len();
                    let name = String::from_utf8_lossy(name).trim_matches(UNKNOWN).to_lowercase();
                    let value = String::from_utf8_lossy(value);
                    if name == "type" {
                        kind = value.trim().to_lowercase();
                    }
                    let Some((range, quote)) = value_range(page, begins) else { continue };
                    // Elements of the user's own have attributes of their own.
                    let is_event = name.starts_with("on") && !tag.name.contains(&b'-');
                    let is_script =
                        is_event || value.trim_start().to_lowercase().starts_with("javascript:");
                    match quote {
                        Some('"') => found.push((range.clone(), Place::DoubleQuotes(name))),
                        // One that a template ends isn't known.
                        None if !page[range.clone()].contains(['"', '\'']) => {
                            found.push((range.clone(), Place::Unquoted(name)));
                        }
                        _ => {}
                    }
                    if is_script && attributes && quote.is_some() {
                        found.push((range, Place::Script));
                    }
                }
                let is_json = || kind.ends_with("json") || kind == "importmap";
                open = match &tag.name[..] {
                    b"script" if is_code(&kind) || is_json() => Some((tag.span.end, Place::Script)),
                    b"style" => Some((tag.span.end, Place::Style)),
                    _ => None,
                };
            }
            Token::EndTag(tag) => {
                found.extend(open.take().map(|(start, place)| (start..tag.span.start, place)));
            }
            _ => {}
        }
    }
    found.extend(open.map(|(start, place)| (start..page.len(), place)));
    found
}

/// Returns where the value of an attribute stands, whose name ends here, and how
/// it is quoted.
fn value_range(page: &str, name_end: usize) -> Option<(Range<usize>, Option<char>)> {
    let behind = page.get(name_end..)?.trim_start().strip_prefix('=')?.trim_start();
    let start = page.len() - behind.len();
    Some(match behind.chars().next()? {
        quote @ ('"' | '\'') => {
            let length = behind[1..].find(quote)?;
            (start + 1..start + 1 + length, Some(quote))
        }
        _ => {
            let length = behind.find(|c: char| c.is_ascii_whitespace() || c == '>');
            (start..start + length.unwrap_or(behind.len()), None)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, Spot)]) {
        let found = Values::of([text]).unsafe_in(&Html::read(text), true);
        let found: Vec<_> = found.into_iter().map(|it| (it.code, it.spot)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(code, spot)| ((*code).to_owned(), spot.clone())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_is_escaped_for_html_is_not_for_scripts() {
        for code in [
            "name",
            "user.name",
            "user.address.city | upper",
            "users[0]",
            "'a' ~ name",
            "name | default('')",
            "names | join(',')",
            "names | first",
            "name | trim | e",
            "name if name else ''",
            "user['name']",
        ] {
            for script in [
                "<script>a = @;</script>",
                "<script>\na = '@'</script>",
                "<SCRIPT type=module>// @\n</SCRIPT>",
                "<script type='text/javascript'>`${a}@`",
                "<script type=application/json>{\"a\": \"@\"}</script>",
                "<p onclick=\"go('@')\"></p>",
                "<a href='javascript:go(@)'>",
            ] {
                check(&script.replace('@', &format!("{{{{ {code} }}}}")), &[(code, Spot::Script)]);
            }
        }
    }

    #[test]
    fn what_is_safe_in_scripts_is_left() {
        for text in [
            "<script>a = {{ name|tojson }}; b = {{- user.names | tojson(indent=2) -}}; // {{ a|tojson }}</script>",
            "<script>a = {{ 7 }} + {{ 'x' }} + {{ names|length }} + {{ n|int }} + {{ x is defined }};</script>",
            "<script>{% for x in xs %}a[{{ loop.index0 }}] = {{ x|tojson }};{% endfor %}</script>",
            "<script>{% for i in range(3) %}a({{ i }});{% endfor %}{% set n = 7 %}{{ n }}{% set m = n %}{{ m }}</script>",
            "{% set data = name|tojson %}<script>a = {{ data }}; b = {{ 'on' if name else 'off' }};</script>",
            "<script>a = {{ seconds * 1000 }} + {{ n + 1 }};</script><my-list once='{{ name }}'></my-list>",
            "<script>a = {{ name|safe }}; b = '{{ name|urlencode }}'</script>",
            "{% raw %}<script>a = {{ name }}</script>{% endraw %}",
            "<script>a = {# {{ name }} #}1;{% autoescape false %}{{ name }}{% endautoescape %}</script>",
            "<script>{% filter tojson %}{{ name }}{% endfilter %}</script>",
            "{% macro send(x) %}<script>{{ x }}</script>{% endmacro %}{% set b %}1{% endset %}<script>{{ b }}{{ send(1) }}</script>",
            "{% from 'm' import number %}<script>{{ number }}{{ caller() }}{{ super() }}</script>",
            "<script src='/a.js?{{ name }}'></script><p>{{ name }}</p><!-- {{ name }} -->",
            "<script type='text/template'><p>{{ name }}</p></script><template>{{ name }}</template>",
            "<a href=\"{{ url }}\" title='{{ name }}' onclick='go({{ name|tojson }})'>",
            "<script>a = '{% if x %}b'{% else %}c'{% endif %} + {{ name|tojson }} + '';</script>",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn json_has_quotes_of_its_own() {
        for script in ["'@'", "\"a @\"", "`@`", "`${'@'}`"] {
            let text = format!("<script>a = {}</script>", script.replace('@', "{{ n|tojson }}"));
            check(&text, &[("n|tojson", Spot::Quotes)]);
        }
        check("<script>`${ {{ n|tojson }} }`</script>", &[]);
        check(
            "<p data-a=\"{{ n|tojson }}\" data-b='{{ n|tojson }}'>",
            &[("n|tojson", Spot::DoubleQuotes("data-a".to_owned()))],
        );
    }

    #[test]
    fn values_and_styles_without_quotes_are_found() {
        let unquoted = |name: &str| Spot::Unquoted(name.to_owned());
        check(
            "<a title={{ x }} HREF=/a/{{ x }}>\n<p {% if x %}id{% endif %} = {{ x|tojson }}>",
            &[("x", unquoted("title")), ("x", unquoted("href")), ("x|tojson", unquoted("id"))],
        );
        check("<a title={% if x %}\"{{ x }}\"{% else %}''{% endif %} {{ x }} {{ x }}=a>", &[]);
        check("<a id={{ 7 }} class={{ 'a' if x }} title=\"a={{ x }}\">", &[]);
        check("<style>p { color: {{ color }} }</style>", &[("color", Spot::Style)]);
        check("<style>p { color: {{ color|safe }} }</style><p style='color: {{ x }}'>", &[]);
    }

    #[test]
    fn names_are_followed_to_what_the_page_is_given() {
        let script = Spot::Script;
        check(
            "{% set a = name %}{% set b = a ~ '' %}<script>{{ b }}</script>",
            &[("b", script.clone())],
        );
        check(
            "<script>{% for x in xs|sort if x %}{{ x.y }}{% endfor %}</script>",
            &[("x.y", script)],
        );
        let values = Values::of(["{% set a = name|tojson %}{% include 'b' %}", "<script>{{ a }}"]);
        assert_eq!(values.unsafe_in(&Html::read("<script>{{ a }}"), true), []);
    }
}
