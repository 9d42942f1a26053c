//! What the elements of a page request.

use html5gum::emitters::default::{DefaultEmitter, StartTag};
use html5gum::{HtmlString, Spanned, StringReader, Token, Tokenizer};

use super::template::blanked;
use super::{Asks, By, Lines, Request, Sends, UNKNOWN, script};
use crate::method::Method;

/// A page, read once as a browser reads it, for all that is to be known of it.
pub struct Html {
    /// Without the parts that only the running server knows. (Pages that are no
    /// templates use such braces in their own scripts.)
    page: String,
    /// The tags.
    tokens: Vec<Token<usize>>,
    lines: Lines,
}

impl std::fmt::Debug for Html {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Html").field("page", &self.page).finish_non_exhaustive()
    }
}

impl Html {
    /// Reads a page.
    pub fn read(text: &str) -> Html {
        let page = blanked(text);
        let is_tag = |token: &Token<usize>| matches!(token, Token::StartTag(_) | Token::EndTag(_));
        let tokens = tokens(&page).map(|Ok(token)| token).filter(is_tag).collect();
        let lines = Lines::of(&page);
        Html { page, tokens, lines }
    }

    /// Finds what the page requests: links, images, scripts, forms, and the requests
    /// of its own scripts.
    ///
    /// `None` if the page has a `<base>`, which would make its addresses lead
    /// elsewhere.
    pub fn requests(&self) -> Option<Vec<Request>> {
        let lines = &self.lines;
        let mut found = Vec::new();
        let mut script_start = None;
        for token in &self.tokens {
            match token {
                Token::StartTag(tag) => {
                    let element = Element { tag, attributes: attributes(tag).collect(), lines };
                    if *tag.name == *b"base" {
                        return None;
                    }
                    element.requests(&mut found);
                    script_start =
                        (*tag.name == *b"script" && element.is_code()).then_some(tag.span.end);
                }
                Token::EndTag(tag) if *tag.name == *b"script" => {
                    if let Some(start) = script_start.take() {
                        let code = self.page.get(start..tag.span.start).unwrap_or_default();
                        let first_line = lines.at(start) - 1;
                        found.extend(
                            script::requests(code).into_iter().map(|request| Request {
                                line: first_line + request.line,
                                ..request
                            }),
                        );
                    }
                }
                _ => {}
            }
        }
        Some(found)
    }

    /// Finds scripts in attributes: their lines and the attributes' names.
    pub fn attribute_scripts(&self) -> Vec<(usize, String)> {
        let runs = |value: &[u8]| {
            let begin = value.trim_ascii_start().get(.."javascript:".len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(b"javascript:"))
        };
        let mut found = Vec::new();
        for token in &self.tokens {
            let Token::StartTag(tag) = token else {
                continue;
            };
            for (name, value) in attributes(tag) {
                let line = || self.lines.at(value.span.start);
                if name.starts_with("on") {
                    found.push((line(), name.to_lowercase()));
                } else if runs(value) {
                    found.push((line(), "javascript:".to_owned()));
                }
            }
        }
        found
    }
}

/// Tokenizes a page as a browser does.
fn tokens(page: &str) -> Tokenizer<StringReader<'_>, DefaultEmitter<usize>> {
    let mut emitter = DefaultEmitter::new_with_span();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(page, emitter)
}

/// The name of an attribute, without what a template prints right beside it, and its
/// value.
type Attribute<'page> = (&'page str, &'page Spanned<HtmlString>);

struct Element<'page> {
    tag: &'page StartTag<usize>,
    attributes: Vec<Attribute<'page>>,
    lines: &'page Lines,
}

impl Element<'_> {
    /// Returns the value of an attribute and the line in which it stands.
    fn attribute(&self, name: &str) -> Option<(String, usize)> {
        let (_, value) = self.attributes.iter().find(|(found, _)| *found == name)?;
        let text = String::from_utf8_lossy(value).trim().to_owned();
        Some((text, self.lines.at(value.span.start)))
    }

    /// Tells whether a `<script>` holds code.
    fn is_code(&self) -> bool {
        self.attribute("type").is_none_or(|(kind, _)| is_code(&kind))
    }

    fn requests(&self, found: &mut Vec<Request>) {
        for name in ["href", "src", "poster"] {
            // An empty one requests nothing.
            if let Some((address, line)) =
                self.attribute(name).filter(|(value, _)| !value.is_empty())
            {
                found.push(Request::new(line, Asks::By(Method::Get), address));
            }
        }
        if *self.tag.name == *b"form" {
            self.form(["method", "enctype"], self.attribute("action"), found);
        }
        if let Some(action) = self.attribute("formaction") {
            self.form(["formmethod", "formenctype"], Some(action), found);
        }
        for (name, value) in &self.tag.attributes {
            if name.starts_with(b"on") {
                let line = self.lines.at(value.span.start) - 1;
                let requests = script::requests(&String::from_utf8_lossy(value));
                found.extend(
                    requests
                        .into_iter()
                        .map(|request| Request { line: line + request.line, ..request }),
                );
            }
        }
    }

    fn form(
        &self,
        [method, enctype]: [&str; 2],
        action: Option<(String, usize)>,
        found: &mut Vec<Request>,
    ) {
        let own_line = self.lines.at(self.tag.span.start);
        let (written, line) = self.attribute(method).unwrap_or_default();
        let asks = match written.to_lowercase().as_str() {
            "" | "get" => Asks::By(Method::Get),
            "post" => Asks::By(Method::Post),
            // A form that opens or closes a dialog requests nothing.
            "dialog" => return,
            _ => Method::parse(&written.to_uppercase()).map_or(Asks::ByAny, Asks::InVain),
        };
        let sends = match (asks, self.attribute(enctype)) {
            (Asks::By(Method::Post), Some((kind, _))) => match kind.to_lowercase().as_str() {
                "multipart/form-data" => Sends::Parts,
                "text/plain" => Sends::Text,
                "application/x-www-form-urlencoded" => Sends::Form,
                _ => Sends::Unknown,
            },
            // A button's may be that of its form. What a template prints may be one.
            (Asks::By(Method::Post), None) if enctype == "enctype" && self.is_literal() => {
                Sends::Form
            }
            _ => Sends::Unknown,
        };
        let request =
            |line, address| Request { sends, by: By::Form, ..Request::new(line, asks, address) };
        match action {
            Some((address, line)) => found.push(request(line, address)),
            // Only a script reads many forms; one that names its method is
            // really sent.
            None if line > 0 => found.push(request(own_line, String::new())),
            None => {}
        }
    }

    /// Tells whether all names of attributes are written out.
    fn is_literal(&self) -> bool {
        self.tag.attributes.keys().all(|name| !String::from_utf8_lossy(name).contains(UNKNOWN))
    }
}

/// Returns the attributes of a tag, whose names the tokenizer gives in lower case.
fn attributes(tag: &StartTag<usize>) -> impl Iterator<Item = Attribute<'_>> {
    let own_name = |name| str::from_utf8(name).unwrap_or_default().trim_matches(UNKNOWN);
    tag.attributes.iter().map(move |(name, value)| (own_name(name), value))
}

/// Tells whether a `<script>` of this type holds code.
fn is_code(kind: &str) -> bool {
    kind.is_empty() || kind == "module" || kind.to_lowercase().ends_with("/javascript")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(page: &str, expected: &[(usize, Asks, &str)]) {
        let found = Html::read(page).requests().expect("there is no base");
        let found: Vec<_> =
            found.iter().map(|found| (found.line, found.asks, found.address.as_str())).collect();
        assert_eq!(found, expected);
    }

    const GET: Asks = Asks::By(Method::Get);
    const POST: Asks = Asks::By(Method::Post);

    #[test]
    fn attributes_that_lead_somewhere_are_found() {
        check(
            "<!-- <a href=/no> -->\n<a href=\"/a\">x</a><IMG SRC='/b'>\n<video\n poster=/c></video>\n<a name=x href=''>",
            &[(2, GET, "/a"), (2, GET, "/b"), (4, GET, "/c")],
        );
    }

    #[test]
    fn scripts_in_attributes_are_found() {
        let page = "<p ONCLICK='go()' data-on=x>\n<a href=' JavaScript:go()'>{# <p onload=x> #}<script>\"<p onload=x>\"</script>\
                    \n<p {% if x %}onload{% endif %}=\"{{ go }}\">";
        let found = Html::read(page).attribute_scripts();
        let found: Vec<_> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
        assert_eq!(found, [(1, "onclick"), (2, "javascript:"), (3, "onload")]);
    }

    #[test]
    fn forms_ask_by_their_method() {
        check(
            "<form action=/a></form><form method=POST action=/b></form><form></form>\n<form method=post></form>\
             <form method=dialog action=/no></form><button formaction=/c formmethod=post>",
            &[(1, GET, "/a"), (1, POST, "/b"), (2, POST, ""), (2, POST, "/c")],
        );
    }

    #[test]
    fn forms_say_what_they_send() {
        let page = "<form method=post></form><form method=post enctype=multipart/form-data></form>\
                    <form method=get action=/></form><form method=put></form>\
                    <form method=post {{ x }}></form><button formaction=/ formmethod=post>\
                    <button formaction=/ formmethod=post formenctype=text/plain>";
        let found = Html::read(page).requests().expect("there is no base");
        let sends: Vec<_> = found.iter().map(|found| (found.asks, found.sends)).collect();
        assert_eq!(
            sends,
            [
                (POST, Sends::Form),
                (POST, Sends::Parts),
                (GET, Sends::Unknown),
                (Asks::InVain(Method::Put), Sends::Unknown),
                (POST, Sends::Unknown),
                (POST, Sends::Unknown),
                (POST, Sends::Text),
            ]
        );
    }

    #[test]
    fn what_a_template_prints_is_unknown() {
        check(
            "{% if x %}<a\n{% if y %}hidden{% endif %} href=\"/users/{{ user[\"id\"] }}\">{% endif %}",
            &[(2, GET, "/users/\u{fffc}")],
        );
    }

    #[test]
    fn scripts_are_read_where_they_are_code() {
        check(
            "<script>\nfetch('/a')\n</script><script type=application/json>fetch('/no')</script>\n\
             <script type=module>\n\nfetch('/b')</script><p onclick=\"fetch('/c')\">fetch('/no')",
            &[(2, GET, "/a"), (6, GET, "/b"), (6, GET, "/c")],
        );
        assert_eq!(Html::read("<base href=/x><a href=y>").requests(), None);
    }
}
