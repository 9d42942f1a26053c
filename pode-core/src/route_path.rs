//! Route paths: which requests a route answers.
//!
//! A path is a list of segments, each a literal, a parameter that matches any
//! one segment, or a last catch-all. It is validated once, when parsed; the
//! route table and the checks rely on its form.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// A parsed path such as `/users/:id` or `/files/*rest`.
///
/// Paths are compared byte for byte after percent-decoding: `/News` and
/// `/news` are two paths. `/` alone has no segments.
///
/// ```
/// # use pode_core::RoutePath;
///
/// let path: RoutePath = "/users/:id".parse().unwrap();
/// assert_eq!(path.parameters().collect::<Vec<_>>(), ["id"]);
/// assert!("users".parse::<RoutePath>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoutePath {
    segments: Vec<Segment>,
}

/// What a path matches between two slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// This text, not percent-encoded.
    Literal(String),
    /// `:name`: any one segment that is not empty.
    Parameter(String),
    /// `*name`: one segment or more, up to the end of the path.
    Rest(String),
}

/// How the sets of requests of two paths overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// No request matches both.
    None,
    /// Both match the same requests.
    Same,
    /// One matches all requests of the other, and more.
    Inside,
    /// Some requests match both, and each matches some of its own.
    Crossing,
}

impl RoutePath {
    /// Returns `/`, the path without segments.
    pub const fn root() -> RoutePath {
        RoutePath { segments: Vec::new() }
    }

    /// Returns the segments from left to right.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns the names of parameters and of the catch-all, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter(name) | Segment::Rest(name) => Some(name.as_str()),
        })
    }

    /// Tells how the requests of this path overlap those of the other.
    pub fn overlap(&self, other: &RoutePath) -> Overlap {
        let (mut mine_wider, mut theirs_wider) = (false, false);
        let (mut mine, mut theirs) = (self.segments.iter(), other.segments.iter());
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) => break,
                (None, Some(_)) | (Some(_), None) => return Overlap::None,
                (Some(Segment::Rest(_)), Some(Segment::Rest(_))) => break,
                // A catch-all matches whatever the other still requires, be it
                // more segments or a narrower one here.
                (Some(Segment::Rest(_)), Some(_)) => {
                    mine_wider = true;
                    break;
                }
                (Some(_), Some(Segment::Rest(_))) => {
                    theirs_wider = true;
                    break;
                }
                (Some(Segment::Literal(a)), Some(Segment::Literal(b))) if a != b => {
                    return Overlap::None;
                }
                (Some(Segment::Parameter(_)), Some(Segment::Literal(_))) => mine_wider = true,
                (Some(Segment::Literal(_)), Some(Segment::Parameter(_))) => theirs_wider = true,
                (Some(_), Some(_)) => {}
            }
        }
        match (mine_wider, theirs_wider) {
            (false, false) => Overlap::Same,
            (true, true) => Overlap::Crossing,
            _ => Overlap::Inside,
        }
    }
}

/// The path as written.
impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("/");
        }
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Literal(text) => write!(f, "/{text}"),
            Segment::Parameter(name) => write!(f, "/:{name}"),
            Segment::Rest(name) => write!(f, "/*{name}"),
        })
    }
}

/// The characters that must be encoded in a segment (RFC 3986, section 3.3).
pub const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b':')
    .remove(b'+');

/// Names for other parts of a request, which can't be parameters.
pub const RESERVED_NAMES: [&str; 6] = ["query", "form", "json", "data", "body", "multipart"];

/// Why a text is not a route path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoutePathError {
    /// The first character is not a slash.
    #[error("route path `{written}` must start with `/`")]
    MissingSlash {
        /// The path as written.
        written: String,
    },
    /// The path ends with a slash; requests with and without one are the same.
    #[error("route path `{written}` ends with `/`")]
    TrailingSlash {
        /// The path as written.
        written: String,
    },
    /// Two slashes follow each other.
    #[error("route path `{written}` has an empty segment")]
    EmptySegment {
        /// The path as written.
        written: String,
    },
    /// A parameter's name is not an identifier.
    #[error("`{segment}` is not a path parameter")]
    NotParameter {
        /// The segment as written, with its `:` or `*`.
        segment: String,
    },
    /// A parameter is written as in another framework: `{id}`, `<id>`, `[id]`,
    /// `:id?` or a bare `*`.
    #[error("a path parameter isn't written `{segment}`")]
    OtherNotation {
        /// The segment as written.
        segment: String,
        /// The whole path as it is written here, if it has such a form.
        meant: Option<String>,
    },
    /// A parameter has the name of another part of the request.
    #[error("a path parameter can't be called `{name}`")]
    ReservedName {
        /// The name without its `:` or `*`.
        name: String,
    },
    /// Two parameters have the same name.
    #[error("path parameter `{name}` stands twice in `{written}`")]
    RepeatedName {
        /// The name without its `:` or `*`.
        name: String,
        /// The path as written.
        written: String,
    },
    /// Something follows the catch-all.
    #[error("the catch-all `{segment}` must come last in `{written}`")]
    RestNotLast {
        /// The segment as written, with its `*`.
        segment: String,
        /// The path as written.
        written: String,
    },
    /// A character that no request path holds after decoding, or that would
    /// have another meaning there.
    #[error("route path `{written}` can't hold `{character}`")]
    BadCharacter {
        /// The character as a message shows it.
        character: String,
        /// The path as written.
        written: String,
    },
}

impl RoutePathError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        match self {
            RoutePathError::MissingSlash { written } => match written.split_once("://") {
                Some((_, address)) => {
                    let path = address.split_once('/').map(|(_, path)| path).unwrap_or_default();
                    format!("write the path alone, `\"/{path}\"`; an `endpoint` has the address")
                }
                None => format!("write `\"/{written}\"`"),
            },
            RoutePathError::TrailingSlash { written } => format!(
                "write `\"{}\"`, which takes requests with and without the last `/`",
                written.trim_end_matches('/')
            ),
            RoutePathError::EmptySegment { .. } => "put one `/` between two segments".to_owned(),
            RoutePathError::NotParameter { .. } => {
                "a parameter is `:` and a name of letters, digits and `_`, as in `/users/:id`; \
                 the rest of a path is `*` and a name, as in `/files/*rest`"
                    .to_owned()
            }
            RoutePathError::OtherNotation { segment, meant: None } if segment.ends_with('?') => {
                let always = segment.trim_end_matches('?');
                format!("declare two routes, one with `{always}` and one without")
            }
            RoutePathError::OtherNotation { meant: Some(path), .. } => {
                format!("write `\"{path}\"`")
            }
            RoutePathError::OtherNotation { meant: None, .. } => {
                "a parameter takes a whole segment, as in `/users/:id`; \
                 the rest of a path is `*` and a name, as in `/files/*rest`"
                    .to_owned()
            }
            RoutePathError::ReservedName { name } => format!(
                "`{name}` is another part of the request; choose another name, such as `{name}_name`"
            ),
            RoutePathError::RepeatedName { .. } => {
                "give each parameter a name of its own".to_owned()
            }
            RoutePathError::RestNotLast { segment, .. } => format!(
                "move it to the end, or take one segment with `:{}`",
                segment.trim_start_matches('*')
            ),
            RoutePathError::BadCharacter { character, .. } => match character.as_str() {
                "?" => "take the part behind `?` as an argument: `(query: Type)`".to_owned(),
                "#" => "the part behind `#` never reaches a server".to_owned(),
                "%" => "write the character itself; requests are decoded before they are compared"
                    .to_owned(),
                "{" | "}" | "<" | ">" => {
                    "a parameter takes a whole segment, as in `/users/:id`".to_owned()
                }
                _ => "write only characters that can be seen".to_owned(),
            },
        }
    }
}

impl FromStr for RoutePath {
    type Err = RoutePathError;

    fn from_str(written: &str) -> Result<Self, RoutePathError> {
        let owned = || written.to_owned();
        let Some(inner) = written.strip_prefix('/') else {
            return Err(RoutePathError::MissingSlash { written: owned() });
        };
        if let Some(error) = other_notation(inner) {
            return Err(error);
        }
        let is_bad = |c: &char| {
            matches!(c, '?' | '#' | '%' | '\\' | '{' | '}' | '<' | '>')
                || c.is_control()
                || c.is_whitespace()
        };
        if let Some(character) = written.chars().find(is_bad) {
            let character = character.escape_debug().to_string().replace("\\\\", "\\");
            return Err(RoutePathError::BadCharacter { character, written: owned() });
        }
        if inner.is_empty() {
            return Ok(RoutePath::root());
        }
        if inner.len() > 1 && inner.ends_with('/') && !inner.ends_with("//") {
            return Err(RoutePathError::TrailingSlash { written: owned() });
        }

        let mut path = RoutePath::root();
        let mut rest: Option<&str> = None;
        for text in inner.split('/') {
            if text.is_empty() {
                return Err(RoutePathError::EmptySegment { written: owned() });
            }
            if let Some(segment) = rest {
                return Err(RoutePathError::RestNotLast {
                    segment: segment.to_owned(),
                    written: owned(),
                });
            }
            let segment = parse_segment(text)?;
            if let Segment::Parameter(name) | Segment::Rest(name) = &segment
                && path.parameters().any(|earlier| earlier == name)
            {
                return Err(RoutePathError::RepeatedName { name: name.clone(), written: owned() });
            }
            if let Segment::Rest(_) = segment {
                rest = Some(text);
            }
            path.segments.push(segment);
        }
        Ok(path)
    }
}

/// Finds parameters as other frameworks write them. A bracket that doesn't
/// enclose a segment is left to the caller.
fn other_notation(inner: &str) -> Option<RoutePathError> {
    let mut found = None;
    let mut meant = Some(String::new());
    for segment in inner.split('/') {
        let here = match here(segment) {
            Some(here) => {
                found.get_or_insert(segment);
                here
            }
            None => Some(segment.to_owned()),
        };
        meant = meant.zip(here).map(|(before, here)| format!("{before}/{here}"));
    }
    let segment = found?.to_owned();
    let meant = meant.filter(|meant| meant.parse::<RoutePath>().is_ok());
    Some(RoutePathError::OtherNotation { segment, meant })
}

/// Returns how a segment in another notation is written here; the inner `None`
/// is one without such a form.
fn here(segment: &str) -> Option<Option<String>> {
    let within = |open, close| segment.strip_prefix(open)?.strip_suffix(close);
    let name = |text: &str| text.trim_matches(['*', '.', '?', '+']).to_owned();
    let written =
        |is_rest: bool, text: &str| format!("{}{}", if is_rest { '*' } else { ':' }, name(text));
    let is_rest = |text: &str| text.starts_with(['*', '.']) || text.ends_with(['*', '.']);
    if matches!(segment, "*" | "**") {
        return Some(Some("*rest".to_owned()));
    }
    if let Some(text) = within('{', '}') {
        let (text, pattern) = text.split_once(':').unwrap_or((text, ""));
        return Some(Some(written(is_rest(text) || pattern.starts_with('.'), text)));
    }
    if let Some(text) = within('<', '>') {
        let (kind, text) = text.split_once(':').unwrap_or(("", text));
        return Some(Some(written(is_rest(text) || kind == "path", text)));
    }
    if let Some(text) = within('[', ']') {
        return Some(Some(written(is_rest(text), text)));
    }
    let text = segment.strip_prefix(':')?;
    if let Some((text, _pattern)) = text.split_once('(') {
        return Some(Some(written(false, text)));
    }
    text.ends_with(['?', '*', '+']).then(|| match text.ends_with('?') {
        true => None,
        false => Some(written(true, text)),
    })
}

fn parse_segment(text: &str) -> Result<Segment, RoutePathError> {
    let (name, segment): (&str, fn(String) -> Segment) = match text.as_bytes()[0] {
        b':' => (&text[1..], Segment::Parameter),
        b'*' => (&text[1..], Segment::Rest),
        _ => return Ok(Segment::Literal(text.to_owned())),
    };
    let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(RoutePathError::NotParameter { segment: text.to_owned() });
    }
    if RESERVED_NAMES.contains(&name) {
        return Err(RoutePathError::ReservedName { name: name.to_owned() });
    }
    Ok(segment(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(written: &str) -> RoutePath {
        written.parse().unwrap()
    }

    #[test]
    fn paths_are_shown_as_written() {
        for written in ["/", "/users", "/users/:id", "/a/:x/b/*rest", "/straße"] {
            assert_eq!(path(written).to_string(), written);
        }
    }

    #[test]
    fn mistakes_are_named() {
        #[track_caller]
        fn check(written: &str, message: &str) {
            assert_eq!(written.parse::<RoutePath>().unwrap_err().to_string(), message);
        }
        check("users", "route path `users` must start with `/`");
        check("", "route path `` must start with `/`");
        check("/users/", "route path `/users/` ends with `/`");
        check("/users//me", "route path `/users//me` has an empty segment");
        check("//", "route path `//` has an empty segment");
        check("/users/:", "`:` is not a path parameter");
        check("/users/:9", "`:9` is not a path parameter");
        check("/users/:form", "a path parameter can't be called `form`");
        check("/:id/:id", "path parameter `id` stands twice in `/:id/:id`");
        check("/*rest/more", "the catch-all `*rest` must come last in `/*rest/more`");
        check("/users?id", "route path `/users?id` can't hold `?`");
        check("/a b", "route path `/a b` can't hold ` `");
        check("/a\\b", "route path `/a\\b` can't hold `\\`");
        check("/a{b", "route path `/a{b` can't hold `{`");
        check("/v{major}.txt", "route path `/v{major}.txt` can't hold `{`");
        check("/u/{id}", "a path parameter isn't written `{id}`");
    }

    #[test]
    fn other_notations_are_translated() {
        #[track_caller]
        fn check(written: &str, help: &str) {
            assert_eq!(written.parse::<RoutePath>().unwrap_err().help(), help, "{written}");
        }
        for (written, meant) in [
            ("/u/{id}", "/u/:id"),
            ("/u/{id}/p/{post_id}", "/u/:id/p/:post_id"),
            ("/u/{id:\\d+}", "/u/:id"),
            ("/u/<id>", "/u/:id"),
            ("/u/<int:id>", "/u/:id"),
            ("/u/[id]", "/u/:id"),
            ("/u/:id(\\d+)", "/u/:id"),
            ("/u/:a/{b}", "/u/:a/:b"),
            ("/{*rest}", "/*rest"),
            ("/files/{tail:.*}", "/files/*tail"),
            ("/files/{path...}", "/files/*path"),
            ("/<rest..>", "/*rest"),
            ("/<path:rest>", "/*rest"),
            ("/[...slug]", "/*slug"),
            ("/files/:path*", "/files/*path"),
            ("/files/*", "/files/*rest"),
        ] {
            check(written, &format!("write `\"{meant}\"`"));
        }
        check("/u/:id?", "declare two routes, one with `:id` and one without");
        let whole = "a parameter takes a whole segment, as in `/users/:id`";
        check("/v{major}.txt", whole);
        for written in ["/u/{}", "/{*rest}/more", "/{id}-{name}", "/u/{form}"] {
            check(
                written,
                &format!("{whole}; the rest of a path is `*` and a name, as in `/files/*rest`"),
            );
        }
        // A bracket is a character like others.
        assert!("/matrix[0]".parse::<RoutePath>().is_ok());
    }

    #[test]
    fn overlaps_are_told_apart() {
        #[track_caller]
        fn check(a: &str, b: &str, overlap: Overlap) {
            assert_eq!(path(a).overlap(&path(b)), overlap, "{a} and {b}");
            assert_eq!(path(b).overlap(&path(a)), overlap, "{b} and {a}");
        }
        check("/users/:id", "/users/:uid", Overlap::Same);
        check("/*rest", "/*all", Overlap::Same);
        check("/users/me", "/users/:id", Overlap::Inside);
        check("/users/:id", "/*rest", Overlap::Inside);
        check("/a/b/c", "/a/*rest", Overlap::Inside);
        check("/a/:x", "/:y/b", Overlap::Crossing);
        check("/:x/b/c", "/a/*rest", Overlap::Crossing);
        check("/users", "/users/:id", Overlap::None);
        check("/", "/*rest", Overlap::None);
        check("/a/x", "/b/x", Overlap::None);
    }
}
