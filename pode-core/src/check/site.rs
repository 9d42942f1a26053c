//! What a server has, as its pages see it.

use crate::model::{Endpoint, Name, Server};
use crate::page::UNKNOWN;
use crate::route_path::Segment;
use crate::{Method, RoutePath};

/// Everything that answers, by its path.
pub(super) struct Site<'server> {
    endpoints: &'server [Endpoint],
    entries: Vec<Entry<'server>>,
}

/// The server that an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At<'address> {
    /// The one that the page came from, at the same port.
    Own,
    /// One on this machine, at this port.
    Port {
        /// What it should speak, if that is known.
        scheme: Option<&'address str>,
        /// Its port.
        port: u16,
    },
}

struct Entry<'server> {
    path: Vec<Segment>,
    answers: Answers,
    /// Where it answers; none means everywhere.
    endpoints: &'server [Name],
}

/// What is answered at a path.
#[derive(Debug)]
pub(super) enum Answers {
    /// These methods.
    Some(Vec<Method>),
    /// Whatever is asked: a mounted filter.
    All,
    /// WebSocket handshakes.
    Socket,
}

impl Answers {
    pub(super) fn takes(&self, method: Method) -> bool {
        match self {
            Answers::Some(methods) => methods.contains(&method),
            Answers::All => true,
            Answers::Socket => false,
        }
    }

    pub(super) fn methods(&self) -> &[Method] {
        match self {
            Answers::Some(methods) => methods,
            Answers::All | Answers::Socket => &[],
        }
    }
}

impl<'server> Site<'server> {
    pub(super) fn of(server: &'server Server) -> Site<'server> {
        let mut entries = Vec::new();
        let mut add = |path: Vec<Segment>, answers, endpoints| {
            entries.push(Entry { path, answers, endpoints });
        };
        for route in &server.routes {
            let methods = Answers::Some(route.methods().collect());
            add(route.path.segments().to_vec(), methods, &route.endpoints[..]);
        }
        for signal in &server.signals {
            add(signal.path.segments().to_vec(), Answers::Socket, &signal.endpoints[..]);
        }
        for mount in &server.mounts {
            let prefix = mount.prefix.segments();
            let below = [prefix, &[Segment::Rest(String::new())]].concat();
            add(prefix.to_vec(), Answers::All, &[]);
            add(below, Answers::All, &[]);
        }
        for public in &server.publics {
            let prefix = public.prefix.segments();
            for file in public.folder.files() {
                let segments = file.path.split('/').map(|text| Segment::Literal(text.to_owned()));
                let path: Vec<Segment> = prefix.iter().cloned().chain(segments).collect();
                // Which file answers for its folder is an option, and so only
                // known at run time.
                if path.last().is_some_and(is_index) {
                    add(path[..path.len() - 1].to_vec(), Answers::Some(vec![Method::Get]), &[]);
                }
                add(path, Answers::Some(vec![Method::Get]), &[]);
            }
        }
        Site { endpoints: &server.endpoints, entries }
    }

    /// Returns what answers such a path there, or may do so.
    pub(super) fn at(&self, at: At<'_>, by_socket: bool, path: &[String]) -> Vec<&Answers> {
        let entries = self.entries.iter().filter(|entry| {
            matches!(entry.answers, Answers::Socket) == by_socket
                && may_take(&entry.path, path)
                && self.is_served(entry, at, by_socket)
        });
        entries.map(|entry| &entry.answers).collect()
    }

    /// Returns the paths that can be asked for, as messages show them.
    pub(super) fn paths(&self, by_socket: bool) -> Vec<String> {
        let entries = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.answers, Answers::Socket) == by_socket);
        let shown = |segment: &Segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Parameter(name) => format!("/:{name}"),
            Segment::Rest(name) => format!("/*{name}"),
        };
        let shown = |entry: &Entry<'_>| match entry.path.is_empty() {
            true => RoutePath::root().to_string(),
            false => entry.path.iter().map(shown).collect(),
        };
        entries.map(shown).collect()
    }

    /// Tells whether something listens there; the error is what else does.
    pub(super) fn serves(&self, at: At<'_>, by_socket: bool) -> Result<(), Vec<String>> {
        let kind = || {
            self.endpoints.iter().filter(|endpoint| endpoint.protocol.serves_signals() == by_socket)
        };
        // Where an address is only known at run time, it may be this one.
        let all_known =
            self.endpoints.iter().all(|endpoint| endpoint.bind.is_some_and(|bind| bind.port != 0));
        let serves = match at {
            At::Own if by_socket => self.endpoints.iter().any(|page| {
                let same = |socket: &Endpoint| match (page.bind, socket.bind) {
                    (Some(page), Some(socket)) => page.same(&socket),
                    _ => true,
                };
                kind().any(|socket| {
                    page.protocol.shares_address_with(socket.protocol) && same(socket)
                })
            }),
            At::Own => true,
            At::Port { .. } => !all_known || kind().any(|endpoint| is_at(endpoint, at)),
        };
        let shown =
            |endpoint: &Endpoint| Some(format!("`{}://{}/`", endpoint.protocol, endpoint.bind?));
        if serves { Ok(()) } else { Err(kind().filter_map(shown).collect()) }
    }

    fn is_served(&self, entry: &Entry<'_>, at: At<'_>, by_socket: bool) -> bool {
        let At::Port { .. } = at else {
            return true;
        };
        let mut there = self.endpoints.iter().filter(|endpoint| {
            endpoint.protocol.serves_signals() == by_socket
                && (endpoint.bind.is_none_or(|bind| bind.port == 0) || is_at(endpoint, at))
        });
        there.any(|endpoint| {
            let is_this =
                |name: &Name| endpoint.name.as_ref().is_some_and(|own| own.text == name.text);
            entry.endpoints.is_empty() || entry.endpoints.iter().any(is_this)
        })
    }
}

fn is_at(endpoint: &Endpoint, at: At<'_>) -> bool {
    match at {
        At::Own => true,
        At::Port { scheme, port } => {
            endpoint.bind.is_some_and(|bind| bind.port == port)
                && scheme.is_none_or(|scheme| scheme == endpoint.protocol.as_str())
        }
    }
}

fn is_index(segment: &Segment) -> bool {
    matches!(segment, Segment::Literal(name) if name.starts_with("index."))
}

/// Tells whether a path that was asked for may be one that this one takes.
///
/// What is unknown in it may be any text, also none, and with slashes.
fn may_take(path: &[Segment], asked: &[String]) -> bool {
    let Some((first, rest)) = asked.split_first() else {
        return path.is_empty();
    };
    let is_unknown = first.contains(UNKNOWN);
    let takes_first = match path.first() {
        None => false,
        Some(Segment::Rest(_)) => return !first.is_empty(),
        Some(Segment::Parameter(_)) => !first.is_empty(),
        Some(Segment::Literal(text)) if is_unknown => may_be(first, text),
        Some(Segment::Literal(text)) => text == first,
    };
    if takes_first && may_take(&path[1..], rest) {
        return true;
    }
    if !is_unknown {
        return false;
    }
    let all_unknown = first.chars().all(|c| c == UNKNOWN);
    // It may be none at all, or go on through several segments.
    (all_unknown && may_take(path, rest))
        || (1..path.len()).any(|taken| {
            let begins = match &path[0] {
                Segment::Literal(text) => {
                    first.split(UNKNOWN).next().is_some_and(|known| text.starts_with(known))
                }
                _ => true,
            };
            begins && may_take(&path[taken + 1..], rest)
        })
}

/// Tells whether a text with unknown parts may be this one.
fn may_be(unknown: &str, text: &str) -> bool {
    let mut parts = unknown.split(UNKNOWN);
    let first = parts.next().unwrap_or_default();
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return text.is_empty();
    };
    for part in middle {
        match text.split_once(part) {
            Some((_, behind)) => text = behind,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_may_be_anything() {
        #[track_caller]
        fn check(path: &str, asked: &str, expected: bool) {
            let path: RoutePath = path.parse().unwrap();
            let asked = asked.replace('~', &UNKNOWN.to_string());
            let asked: Vec<String> = asked.split('/').skip(1).map(str::to_owned).collect();
            assert_eq!(may_take(path.segments(), &asked), expected);
        }
        check("/users/:id", "/users/7", true);
        check("/users/:id", "/users", false);
        check("/users/:id", "/users/~", true);
        check("/users/me", "/users/~", true);
        check("/users", "/users/~", true);
        check("/users/:id/photo", "/users/~", true);
        check("/users/:id/photo", "/users/~/photo", true);
        check("/users/:id/photo", "/users/~/phote", false);
        check("/users/:id", "/people/~", false);
        check("/style.css", "/~.css", true);
        check("/style.css", "/~.js", false);
        check("/a-b-c", "/a~b~c", true);
        check("/*rest", "/a/b", true);
        check("/files/*rest", "/files/~", true);
        check("/users", "/user~", true);
    }
}
