//! What the code of a page requests: calls of `fetch`, `new WebSocket`,
//! `new EventSource`, `XMLHttpRequest` and `signal` with literal addresses, and imports.
//!
//! JavaScript is read as a list of tokens, not parsed: enough to tell code from
//! comments and strings, to join strings by `+` and in templates, and to look
//! up constants of the same file.

#[cfg(test)]
mod tests;
mod tokens;

use std::collections::HashMap;

use self::tokens::{Kind, Piece, Token, tokens};
use super::{Asks, By, CLIENT_MODULE, HOST, HOSTNAME, Lines, Request, Sends, UNKNOWN};
use crate::method::Method;

/// Finds what a script requests.
pub fn requests(code: &str) -> Vec<Request> {
    let tokens = tokens(code);
    let constants = constants(&tokens);
    let reader = Reader { tokens: &tokens, constants: &constants };
    let signals = reader.names_of_signal();
    let lines = Lines::of(code);
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let call = match token.kind {
            Kind::Word("fetch") if !reader.is_member(index) => Call::Fetch,
            Kind::Word("WebSocket") if reader.is_new(index) => Call::Socket,
            Kind::Word("EventSource") if reader.is_new(index) => Call::Events,
            Kind::Word(name) if signals.contains(&name) && !reader.is_member(index) => Call::Socket,
            Kind::Word("open") if reader.is(index.wrapping_sub(1), ".") => {
                found.extend(
                    reader
                        .opened(index)
                        .map(|(asks, address)| Request::new(lines.at(token.start), asks, address)),
                );
                continue;
            }
            Kind::Word("import" | "export") if !reader.is_member(index) => {
                let request = |address| Request {
                    by: By::Import,
                    ..Request::new(lines.at(token.start), Asks::By(Method::Get), address)
                };
                found.extend(reader.imported(index).map(request));
                continue;
            }
            _ => continue,
        };
        if !reader.is(index + 1, "(") {
            continue;
        }
        let (address, end) = reader.argument(index + 2);
        let (asks, sends, by) = match call {
            Call::Fetch => (reader.method(end), reader.sends(end), By::Other),
            Call::Socket => (Asks::BySocket, Sends::Unknown, By::Other),
            Call::Events => (Asks::By(Method::Get), Sends::Unknown, By::EventSource),
        };
        let request = Request::new(lines.at(token.start), asks, address);
        found.push(Request { sends, by, ..request });
    }
    found
}

enum Call {
    Fetch,
    Socket,
    Events,
}

/// The methods that `fetch` makes upper case.
const NORMALIZED: [Method; 6] =
    [Method::Delete, Method::Get, Method::Head, Method::Options, Method::Post, Method::Put];

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

    /// Reads the type of the body from the second argument of `fetch`; `end` is
    /// the end of the first.
    fn sends(&self, end: usize) -> Sends {
        let read = || {
            let options = self.is(end, ",").then(|| self.entries(end + 1))??;
            let value = |name: &str| options.iter().find(|(key, _)| key == name);
            if let Some((_, headers)) = value("headers") {
                let headers = self.entries((*headers)?)?;
                let is_type = |(key, _): &&(String, _)| key.eq_ignore_ascii_case("content-type");
                if let Some((_, value)) = headers.iter().find(is_type) {
                    return self.content_type((*value)?);
                }
            }
            self.body(value("body")?.1?)
        };
        read().unwrap_or_default()
    }

    fn content_type(&self, value: usize) -> Option<Sends> {
        let text = self.literal(value).filter(|_| self.ends_value(value + 1))?;
        match text.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/json" => Some(Sends::Json),
            "application/x-www-form-urlencoded" => Some(Sends::Form),
            "multipart/form-data" => Some(Sends::Parts),
            "text/plain" => Some(Sends::Text),
            _ => None,
        }
    }

    /// Reads the type that `fetch` gives to a body (Fetch, section 5.2).
    fn body(&self, value: usize) -> Option<Sends> {
        let (sends, open) = match [0, 1, 2].map(|behind| self.word(value + behind)) {
            [Some("JSON"), None, Some("stringify")] if self.is(value + 1, ".") => {
                (Sends::Text, value + 3)
            }
            [Some("new"), Some("FormData"), _] => (Sends::Parts, value + 2),
            [Some("new"), Some("URLSearchParams"), _] => (Sends::Form, value + 2),
            _ if self.ends_value(value + 1) && matches!(self.kind(value), Some(Kind::Text(_))) => {
                return Some(Sends::Text);
            }
            _ => return None,
        };
        let is_whole = self.is(open, "(") && self.ends_value(self.closing(open) + 1);
        is_whole.then_some(sends)
    }

    /// Returns the keys of an object that is written here, and where their values
    /// begin, if they are written there; `None` if there may be more of them.
    fn entries(&self, open: usize) -> Option<Vec<(String, Option<usize>)>> {
        let mut found = Vec::new();
        let mut index = self.is(open, "{").then_some(open + 1)?;
        while !self.is(index, "}") {
            let key = self.word(index).map(str::to_owned).or_else(|| self.literal(index))?;
            let value = self.is(index + 1, ":").then_some(index + 2);
            found.push((key, value));
            let end = value.map_or(index + 1, |value| self.end_of_value(value));
            index = match () {
                () if self.is(end, ",") => end + 1,
                () if self.is(end, "}") => end,
                () => return None,
            };
        }
        Some(found)
    }

    /// Reads `request.open("GET", "/path"`, which no other object has; `word` is
    /// `open`.
    fn opened(&self, word: usize) -> Option<(Asks, String)> {
        let method = self.literal(word + 2).filter(|_| self.is(word + 1, "("))?;
        let asks = match Method::parse(&method.to_uppercase())? {
            it if NORMALIZED.contains(&it) || it.as_str() == method => Asks::By(it),
            it => Asks::InVain(it),
        };
        let (address, _) = self.argument(self.is(word + 3, ",").then_some(word + 4)?);
        Some((asks, address))
    }

    /// Reads the address of a module that is imported, or exported again, here.
    /// Names without a path are those of an import map.
    fn imported(&self, word: usize) -> Option<String> {
        let address = match self.kind(word + 1)? {
            Kind::Text(_) if self.word(word) == Some("import") => self.literal(word + 1),
            Kind::Punctuation("(") if self.is(word + 3, ")") => self.literal(word + 2),
            _ => {
                let names = (word + 1..self.tokens.len()).take_while(|index| {
                    let mark = ["{", "}", ",", "*"].iter().any(|mark| self.is(*index, mark));
                    mark || matches!(self.kind(*index), Some(Kind::Word(_)))
                });
                let from = names.filter(|index| self.word(*index) == Some("from")).last()?;
                self.literal(from + 1)
            }
        }?;
        ["./", "../", "/"].iter().any(|begin| address.starts_with(begin)).then_some(address)
    }

    /// Returns what `signal` of the client module is called here.
    fn names_of_signal(&self) -> Vec<&'code str> {
        let mut names = Vec::new();
        for index in 0..self.tokens.len() {
            let is_import = self.word(index) == Some("import") && !self.is_member(index);
            if !is_import || !self.imported(index).is_some_and(|it| it.ends_with(CLIENT_MODULE)) {
                continue;
            }
            let until = (index..).find(|it| matches!(self.kind(*it), None | Some(Kind::Text(_))));
            for place in index..until.unwrap_or(index) {
                match [0, 1, 2].map(|behind| self.word(place + behind)) {
                    [Some("signal"), Some("as"), Some(name)] => names.push(name),
                    [Some(name @ "signal"), _, _] => names.push(name),
                    _ => {}
                }
            }
        }
        names
    }

    fn literal(&self, index: usize) -> Option<String> {
        match self.kind(index) {
            Some(Kind::Text(pieces)) => match pieces.as_slice() {
                [Piece::Text(text)] if !text.contains(UNKNOWN) => Some(text.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    fn ends_value(&self, index: usize) -> bool {
        self.is(index, ",") || self.is(index, "}")
    }

    /// Returns the index of the mark that closes a bracket.
    fn closing(&self, open: usize) -> usize {
        let mut end = self.end_of_value(open + 1);
        while self.is(end, ",") {
            end = self.end_of_value(end + 1);
        }
        end
    }

    /// Returns the index of the mark that ends a value of an object.
    fn end_of_value(&self, start: usize) -> usize {
        let mut depth = 0_usize;
        for index in start..self.tokens.len() {
            if let Some(Kind::Punctuation(mark)) = self.kind(index) {
                match *mark {
                    "," | "}" | ")" | "]" if depth == 0 => return index,
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth -= 1,
                    _ => {}
                }
            }
        }
        self.tokens.len()
    }

    fn method_at(&self, colon: usize) -> Asks {
        match self.kind(colon + 1) {
            Some(Kind::Text(pieces)) if self.is(colon, ":") => match pieces.as_slice() {
                [Piece::Text(text)] => match Method::parse(&text.to_uppercase()) {
                    Some(it) if NORMALIZED.contains(&it) || it.as_str() == text => Asks::By(it),
                    Some(it) => Asks::InVain(it),
                    None => Asks::ByAny,
                },
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
