//! What the code of a page requests: calls of `fetch`, `new WebSocket` and
//! `new EventSource` with literal addresses.
//!
//! JavaScript is read as a list of tokens, not parsed: enough to tell code from
//! comments and strings, to join strings by `+` and in templates, and to look
//! up constants of the same file.

mod tokens;

use std::collections::HashMap;

use self::tokens::{Kind, Piece, Token, tokens};
use super::{Asks, HOST, HOSTNAME, Lines, Request, UNKNOWN};
use crate::method::Method;

/// Finds what a script requests.
pub fn requests(code: &str) -> Vec<Request> {
    let tokens = tokens(code);
    let constants = constants(&tokens);
    let reader = Reader { tokens: &tokens, constants: &constants };
    let lines = Lines::of(code);
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let asks_by = match token.kind {
            Kind::Word("fetch") if !reader.is_member(index) => By::Fetch,
            Kind::Word("WebSocket") if reader.is_new(index) => By::Socket,
            Kind::Word("EventSource") if reader.is_new(index) => By::Events,
            _ => continue,
        };
        if !reader.is(index + 1, "(") {
            continue;
        }
        let (address, end) = reader.argument(index + 2);
        let asks = match asks_by {
            By::Fetch => reader.method(end),
            By::Socket => Asks::BySocket,
            By::Events => Asks::By(Method::Get),
        };
        found.push(Request::new(lines.at(token.start), asks, address));
    }
    found
}

enum By {
    Fetch,
    Socket,
    Events,
}

/// Returns the texts of `const NAME = "text";`, where a name stands for one.
fn constants<'code>(tokens: &[Token<'code>]) -> HashMap<&'code str, String> {
    let none = HashMap::new();
    let reader = Reader { tokens, constants: &none };
    let mut constants: HashMap<&str, Option<String>> = HashMap::new();
    for index in 0..tokens.len() {
        let Some(name) = reader.word(index + 1).filter(|_| reader.word(index) == Some("const"))
        else {
            continue;
        };
        // Only a value that begins with a string is read any further: it may be
        // as long as the whole script.
        let begins = matches!(reader.kind(index + 3), Some(Kind::Text(_)));
        let text = (begins && reader.is(index + 2, "="))
            .then(|| reader.argument(index + 3))
            .and_then(|(text, end)| reader.ends(end).then_some(text));
        // Two of one name belong to different functions.
        constants.entry(name).and_modify(|earlier| *earlier = None).or_insert(text);
    }
    constants.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

struct Reader<'read, 'code> {
    tokens: &'read [Token<'code>],
    constants: &'read HashMap<&'code str, String>,
}

impl<'code> Reader<'_, 'code> {
    fn kind(&self, index: usize) -> Option<&Kind<'code>> {
        self.tokens.get(index).map(|token| &token.kind)
    }

    fn is(&self, index: usize, mark: &str) -> bool {
        matches!(self.kind(index), Some(Kind::Punctuation(found)) if *found == mark)
    }

    fn word(&self, index: usize) -> Option<&'code str> {
        match self.kind(index) {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// Tells whether a word belongs to an object other than the window, or is
    /// declared here.
    fn is_member(&self, index: usize) -> bool {
        match index.checked_sub(1).and_then(|before| self.kind(before)) {
            Some(Kind::Punctuation(".")) => !index
                .checked_sub(2)
                .and_then(|owner| self.word(owner))
                .is_some_and(|owner| matches!(owner, "window" | "self" | "globalThis")),
            Some(Kind::Word("function")) => true,
            _ => false,
        }
    }

    fn is_new(&self, index: usize) -> bool {
        let own = self.is(index.wrapping_sub(1), ".") && !self.is_member(index);
        let before = index.checked_sub(if own { 3 } else { 1 });
        before.and_then(|before| self.word(before)) == Some("new")
    }

    /// Tells whether an argument or a declaration ends here.
    fn ends(&self, index: usize) -> bool {
        match self.kind(index) {
            None => true,
            Some(Kind::Punctuation(mark)) => matches!(*mark, "," | ")" | ";"),
            // The next line begins; nothing else can follow a value.
            Some(Kind::Word(word)) => !matches!(*word, "in" | "instanceof"),
            Some(_) => false,
        }
    }

    /// Reads an address that begins here; returns it, and where it ends.
    fn argument(&self, start: usize) -> (String, usize) {
        let mut address = String::new();
        let mut index = start;
        loop {
            let (piece, next) = self.piece(index);
            address.push_str(&piece);
            index = next;
            if self.ends(index) {
                return (address, index);
            }
            if !self.is(index, "+") {
                // Some other operator: the whole address is known only at run
                // time.
                return (UNKNOWN.to_string(), self.end_of_argument(start));
            }
            index += 1;
        }
    }

    /// Reads one operand of `+`.
    fn piece(&self, index: usize) -> (String, usize) {
        match self.kind(index) {
            Some(Kind::Text(pieces)) => {
                let pieces = pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Code(code) => {
                        let tokens = tokens(code);
                        let inner = Reader { tokens: &tokens, constants: self.constants };
                        match inner.argument(0) {
                            (text, end) if end == tokens.len() => text,
                            _ => UNKNOWN.to_string(),
                        }
                    }
                });
                (pieces.collect(), index + 1)
            }
            Some(Kind::Word(word)) => {
                let mut path = vec![*word];
                let mut next = index + 1;
                while self.is(next, ".")
                    && let Some(word) = self.word(next + 1)
                {
                    path.push(word);
                    next += 2;
                }
                (self.value(&path), next)
            }
            _ => (UNKNOWN.to_string(), index + 1),
        }
    }

    /// Returns the value of a name.
    fn value(&self, path: &[&str]) -> String {
        let path = match path {
            ["window" | "document" | "self" | "globalThis", rest @ ..] => rest,
            all => all,
        };
        match path {
            ["location", "host"] => HOST.to_string(),
            ["location", "hostname"] => HOSTNAME.to_string(),
            ["location", "origin"] => format!("{UNKNOWN}//{HOST}"),
            [name] => self.constants.get(name).cloned().unwrap_or_else(|| UNKNOWN.to_string()),
            _ => UNKNOWN.to_string(),
        }
    }

    /// Returns the index of the `,` or `)` that ends an argument.
    fn end_of_argument(&self, start: usize) -> usize {
        let mut depth = 0;
        for index in start..self.tokens.len() {
            if let Some(Kind::Punctuation(mark)) = self.kind(index) {
                match *mark {
                    "," | ")" if depth == 0 => return index,
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth -= 1,
                    _ => {}
                }
            }
        }
        self.tokens.len()
    }

    /// Reads the method from the second argument of `fetch`; `end` is the end
    /// of the first.
    fn method(&self, end: usize) -> Asks {
        if !self.is(end, ",") || self.is(end + 1, ")") {
            return Asks::By(Method::Get);
        }
        if !self.is(end + 1, "{") {
            return Asks::ByAny;
        }
        let mut asks = Asks::By(Method::Get);
        let mut depth = 0;
        for index in end + 1..self.tokens.len() {
            match self.kind(index) {
                Some(Kind::Punctuation("{" | "(" | "[")) => depth += 1,
                Some(Kind::Punctuation("}" | ")" | "]")) => depth -= 1,
                // It may hold a method.
                Some(Kind::Punctuation(".")) if depth == 1 && self.is(index + 1, ".") => {
                    asks = Asks::ByAny;
                }
                Some(key) if depth == 1 && is_key(key) => {
                    asks = self.method_at(index + 1);
                    if self.is(index + 1, ":") {
                        return asks;
                    }
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        asks
    }

    fn method_at(&self, colon: usize) -> Asks {
        match self.kind(colon + 1) {
            Some(Kind::Text(pieces)) if self.is(colon, ":") => match pieces.as_slice() {
                [Piece::Text(text)] => {
                    Method::parse(&text.to_uppercase()).map_or(Asks::ByAny, Asks::By)
                }
                _ => Asks::ByAny,
            },
            _ => Asks::ByAny,
        }
    }
}

fn is_key(kind: &Kind<'_>) -> bool {
    match kind {
        Kind::Word(word) => *word == "method",
        Kind::Text(pieces) => matches!(pieces.as_slice(), [Piece::Text(text)] if text == "method"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, expected: &[(Asks, &str)]) {
        let found = requests(code);
        let found: Vec<_> = found.iter().map(|found| (found.asks, found.shown())).collect();
        let expected: Vec<_> =
            expected.iter().map(|(asks, address)| (*asks, address.to_string())).collect();
        assert_eq!(found, expected, "{code}");
    }

    const GET: Asks = Asks::By(Method::Get);

    #[test]
    fn calls_are_found_and_comments_and_texts_are_not() {
        check("fetch('/a'); // fetch('/no')\n/* fetch('/no') */", &[(GET, "/a")]);
        check("window.fetch(\"/a\"); cache.fetch('/no'); 'fetch(\"/no\")'", &[(GET, "/a")]);
        check("x = /['\"`/]/; fetch('/a'); y = 4 / 2; fetch('/b')", &[(GET, "/a"), (GET, "/b")]);
        check("function fetch(x) {} WebSocket('/no')", &[]);
        check(
            "new EventSource('/a'); new window.WebSocket('/b')",
            &[(GET, "/a"), (Asks::BySocket, "/b")],
        );
        assert_eq!(requests("\n\n fetch('/a')")[0].line, 3);
    }

    #[test]
    fn texts_are_joined_and_the_rest_is_unknown() {
        check("fetch('/a/' + id + '/b')", &[(GET, "/a/…/b")]);
        check("fetch(`/a/${ids[`${0}`]}/b`)", &[(GET, "/a/…/b")]);
        check("fetch('/a'.concat(b), {})", &[(GET, "…")]);
        check("fetch(x ? '/a' : '/b')", &[(GET, "…")]);
        check("fetch(new URL('/a', b))", &[(GET, "…")]);
        check("const A = '/a', B = 1;\nfetch(A + '/b'); fetch(B)", &[(GET, "/a/b"), (GET, "…")]);
        check("const A = `/a`\nlet b = A\nfetch(A)", &[(GET, "/a")]);
        check("{ const A = '/a' } { const A = '/b' } fetch(A)", &[(GET, "…")]);
        check("fetch('\\/a\\u0062')", &[(GET, "/a…0062")]);
    }

    #[test]
    fn the_host_of_the_page_is_known_as_such() {
        let found = requests(
            "new WebSocket(`ws://${location.host}/a`); new WebSocket('ws://' + window.location.hostname + ':1/b'); fetch(location.origin + '/c')",
        );
        let addresses: Vec<_> = found.into_iter().map(|found| found.address).collect();
        assert_eq!(addresses, ["ws://\u{e000}/a", "ws://\u{e001}:1/b", "\u{fffc}//\u{e000}/c"]);
    }

    #[test]
    fn fetch_says_how_it_asks() {
        let post = Asks::By(Method::Post);
        check("fetch('/a', { method: 'post', body })", &[(post, "/a")]);
        check("fetch('/a', { headers: { method: 'x' }, 'method': `POST` })", &[(post, "/a")]);
        check("fetch('/a', { method })", &[(Asks::ByAny, "/a")]);
        check("fetch('/a', { method: x ? 'A' : 'B' })", &[(Asks::ByAny, "/a")]);
        check("fetch('/a', { ...options })", &[(Asks::ByAny, "/a")]);
        check("fetch('/a', options)", &[(Asks::ByAny, "/a")]);
        check("fetch('/a', { cache: 'no-store' })", &[(GET, "/a")]);
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        for code in [
            "fetch(",
            "fetch('",
            "fetch(`${",
            "fetch('/a', {",
            "new WebSocket(`${a",
            "const A =",
            "/",
            "/[",
            "'\\",
        ] {
            requests(code);
        }
    }
}
