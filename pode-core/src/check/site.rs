//! The server as its pages see it.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use super::files::unfit;
use crate::method::Method;
use crate::model::{
    Action, ConnectionEvent, Endpoint, File, Name, On, Public, Route, Server, Signal, Why,
};
use crate::page::{CLIENT_MODULE, UNKNOWN};
use crate::route_path::RoutePath;
use crate::route_path::Segment;

/// Everything that answers requests, by its path.
pub(super) struct Site<'server> {
    server: &'server Server,
    endpoints: &'server [Endpoint],
    /// Whether browsers may speak another protocol than the endpoints.
    behind_proxies: bool,
    /// Whether a script may send forms in another way than they say.
    scripts_send_forms: OnceCell<bool>,
    /// Whether a page says where modules are.
    maps_imports: OnceCell<bool>,
    entries: Vec<Entry<'server>>,
    tree: Node,
}

/// The server of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At<'address> {
    /// The server of the page, at the same port.
    Own {
        /// The expected protocol, if it is not the page's.
        scheme: Option<&'address str>,
    },
    /// A server on this machine, at this port.
    Port {
        /// The expected protocol, if it is known.
        scheme: Option<&'address str>,
        /// Its port.
        port: u16,
    },
}

impl At<'_> {
    /// The server of the page, by the protocol of the page.
    pub(super) const OWN: At<'static> = At::Own { scheme: None };
}

struct Entry<'server> {
    path: Vec<Segment>,
    answers: Answers<'server>,
    /// The endpoints where it answers; empty means all.
    endpoints: &'server [Name],
}

/// A file that is asked for where it is on the disk.
pub(super) enum FileAt<'server> {
    /// In this public folder.
    Public(&'server str),
    /// In a folder of views.
    View,
}

/// The requests that a path answers.
#[derive(Debug)]
pub(super) enum Answers<'server> {
    /// These methods, by a route or by a file.
    Some(Vec<Method>, Option<&'server Route>),
    /// All requests: a mounted filter.
    All,
    /// WebSocket handshakes, for this signal.
    Socket(&'server Signal),
}

impl Answers<'_> {
    pub(super) fn takes(&self, method: Method) -> bool {
        match self {
            // GET routes also answer HEAD.
            Answers::Some(methods, _) => {
                methods.contains(&method)
                    || (method == Method::Head && methods.contains(&Method::Get))
            }
            Answers::All => true,
            Answers::Socket(_) => false,
        }
    }

    pub(super) fn methods(&self) -> &[Method] {
        match self {
            Answers::Some(methods, _) => methods,
            Answers::All | Answers::Socket(_) => &[],
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
            let answers = Answers::Some(route.methods().collect(), Some(route));
            add(route.path.segments().to_vec(), answers, &route.endpoints[..]);
        }
        for signal in &server.signals {
            let answers = Answers::Socket(signal);
            add(signal.path.segments().to_vec(), answers, &signal.endpoints[..]);
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
                // An option says which file answers for its folder, so it is
                // known only at run time.
                let answers = || Answers::Some(vec![Method::Get], None);
                if path.last().is_some_and(is_index) {
                    add(path[..path.len() - 1].to_vec(), answers(), &[]);
                }
                add(path, answers(), &[]);
            }
        }
        if !server.signals.is_empty() {
            let path = CLIENT_MODULE.split('/').skip(1);
            let path = path.map(|text| Segment::Literal(text.to_owned())).collect();
            add(path, Answers::Some(vec![Method::Get], None), &[]);
        }
        let mut tree = Node::default();
        for (index, entry) in entries.iter().enumerate() {
            tree.insert(&entry.path, index);
        }
        let behind_proxies = server.behind_proxies;
        let (scripts_send_forms, maps_imports) = Default::default();
        let endpoints = &server.endpoints;
        Site { server, endpoints, behind_proxies, scripts_send_forms, maps_imports, entries, tree }
    }

    /// Returns the path at which a file is, if this is where it is on the disk:
    /// below its folder's name, or by the name of a view.
    pub(super) fn path_of_file(&self, asked: &[String]) -> Option<(FileAt<'server>, String)> {
        let asked = asked.join("/");
        for public in &self.server.publics {
            let names = |file: &File| {
                let folder = asked.strip_suffix(&file.path)?.strip_suffix('/')?;
                let path = public.folder.path.text.trim_end_matches('/');
                let begin = path.strip_suffix(folder)?;
                (begin.is_empty() || begin.ends_with('/')).then(|| public.path_of(file))
            };
            if let Some(path) = public.folder.files().find_map(names) {
                return Some((FileAt::Public(&public.folder.path.text), path));
            }
        }
        let name = asked.strip_suffix(".html")?;
        let mut routes = self.server.routes.iter();
        let shows = |route: &&Route| matches!(&route.action, Action::View(it) if name == it.text);
        let route = routes.find(shows)?;
        let is_fixed = route.path.parameters().next().is_none();
        is_fixed.then(|| (FileAt::View, route.path.to_string()))
    }

    /// Returns what is in a public folder at this path and isn't served, and what
    /// helps.
    pub(super) fn unserved(&self, asked: &[String]) -> Option<(String, &'static str)> {
        let asked = format!("/{}", asked.join("/"));
        self.server.publics.iter().find_map(|Public { prefix, folder, .. }| {
            let path = asked.strip_prefix(prefix.to_string().trim_end_matches('/'))?;
            let path = path.strip_prefix('/')?;
            let is_folder = folder.unfit(path)?.why == Why::Folder;
            if is_folder { None } else { unfit(folder, path) }
        })
    }

    pub(super) fn maps_imports(&self) -> bool {
        let has_map = |file: &File| file.text.as_ref().is_some_and(|it| it.contains("importmap"));
        *self.maps_imports.get_or_init(|| self.files().any(has_map))
    }

    pub(super) fn scripts_send_forms(&self) -> bool {
        *self.scripts_send_forms.get_or_init(|| self.files().any(may_send_forms))
    }

    /// Tells whether what a client asks for by `resume` has no meaning at a signal: it
    /// keeps nothing, and no handler sees the address.
    pub(super) fn ignores_resume(&self, signal: &Signal) -> bool {
        let sees =
            |on: &On| on.event == ConnectionEvent::Connect && on.signal.text == signal.name.text;
        signal.history_messages == Some(0)
            && !self.server.numbers_all()
            && !self.server.ons.iter().any(sees)
    }

    /// Returns all views and public files.
    fn files(&self) -> impl Iterator<Item = &'server File> {
        let views = self.server.views.iter().map(|views| &views.folder);
        let publics = self.server.publics.iter().map(|public| &public.folder);
        views.chain(publics).flat_map(|folder| folder.files())
    }

    /// Returns the entries that answer this path there, or may do so.
    pub(super) fn at(
        &self,
        at: At<'_>,
        by_socket: bool,
        path: &[String],
    ) -> Vec<&Answers<'server>> {
        let mut found = BTreeSet::new();
        self.tree.find(path, &mut found);
        let entries = found.into_iter().map(|index| &self.entries[index]).filter(|entry| {
            matches!(entry.answers, Answers::Socket(_)) == by_socket
                && self.is_served(entry, at, by_socket)
        });
        entries.map(|entry| &entry.answers).collect()
    }

    /// Returns the paths that can be requested, as messages show them; the
    /// requested segments replace their parameters.
    pub(super) fn paths(&self, by_socket: bool, asked: &[String]) -> Vec<String> {
        let entries = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.answers, Answers::Socket(_)) == by_socket);
        let shown = |(index, segment): (usize, &Segment)| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Parameter(name) => match asked.get(index).filter(|text| !text.is_empty()) {
                Some(text) => format!("/{text}"),
                None => format!("/:{name}"),
            },
            Segment::Rest(name) => format!("/*{name}"),
        };
        let shown = |entry: &Entry<'_>| match entry.path.is_empty() {
            true => RoutePath::root().to_string(),
            false => entry.path.iter().enumerate().map(shown).collect(),
        };
        entries.map(shown).collect()
    }

    /// Tells whether something listens there; the error lists the endpoints
    /// of that kind.
    pub(super) fn serves(&self, at: At<'_>, by_socket: bool) -> Result<(), Vec<String>> {
        let kind = || {
            self.endpoints.iter().filter(|endpoint| endpoint.protocol.serves_signals() == by_socket)
        };
        // An address that is known only at run time may be this one.
        let all_known =
            self.endpoints.iter().all(|endpoint| endpoint.bind.is_some_and(|bind| bind.port != 0));
        let speaks = |endpoint: &Endpoint, scheme: Option<&str>| {
            self.behind_proxies || scheme.is_none_or(|scheme| scheme == endpoint.protocol.as_str())
        };
        let serves = match at {
            At::Own { scheme } if by_socket => self.endpoints.iter().any(|page| {
                let same = |socket: &Endpoint| match (page.bind, socket.bind) {
                    (Some(page), Some(socket)) => page.same(&socket),
                    _ => true,
                };
                kind().any(|socket| {
                    page.protocol.shares_address_with(socket.protocol)
                        && same(socket)
                        && speaks(socket, scheme)
                })
            }),
            At::Own { scheme } => scheme.is_none() || kind().any(|page| speaks(page, scheme)),
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

/// Tells whether a file may have a script that sends forms, or load one from
/// another server.
fn may_send_forms(file: &File) -> bool {
    let text = file.text.as_deref().unwrap_or_default();
    ["preventDefault", "onsubmit", "\"submit\",", "'submit'", "`submit`", "@submit", "hx-"]
        .iter()
        .any(|hint| text.contains(hint))
        || text.split("<script").skip(1).any(|tag| {
            tag.split('>').next().is_some_and(|tag| tag.contains("//") || tag.contains("{{"))
        })
}

fn is_at(endpoint: &Endpoint, at: At<'_>) -> bool {
    match at {
        At::Own { .. } => true,
        At::Port { scheme, port } => {
            endpoint.bind.is_some_and(|bind| bind.port == port)
                && scheme.is_none_or(|scheme| scheme == endpoint.protocol.as_str())
        }
    }
}

fn is_index(segment: &Segment) -> bool {
    matches!(segment, Segment::Literal(name) if name.starts_with("index."))
}

/// A segment of paths, and the indices of the entries whose paths lead here.
#[derive(Default)]
struct Node {
    literals: HashMap<String, Node>,
    parameter: Option<Box<Node>>,
    /// The entries whose paths end with a catch-all here.
    rest: Vec<usize>,
    ends: Vec<usize>,
}

impl Node {
    fn insert(&mut self, path: &[Segment], index: usize) {
        match path.split_first() {
            None => self.ends.push(index),
            Some((Segment::Rest(_), _)) => self.rest.push(index),
            Some((Segment::Literal(text), behind)) => {
                self.literals.entry(text.clone()).or_default().insert(behind, index);
            }
            Some((Segment::Parameter(_), behind)) => {
                self.parameter.get_or_insert_default().insert(behind, index);
            }
        }
    }

    /// Finds the entries that match a path, or may do so: an unknown part may
    /// be any text, even empty or with slashes.
    fn find(&self, asked: &[String], found: &mut BTreeSet<usize>) {
        let Some((first, behind)) = asked.split_first() else {
            found.extend(&self.ends);
            return;
        };
        if !first.is_empty() {
            found.extend(&self.rest);
            self.parameter.iter().for_each(|next| next.find(behind, found));
        }
        if !first.contains(UNKNOWN) {
            self.literals.get(first).into_iter().for_each(|next| next.find(behind, found));
            return;
        }
        if first.chars().all(|character| character == UNKNOWN) {
            self.find(behind, found);
        }
        let begins = first.split(UNKNOWN).next().unwrap_or_default();
        for (text, next) in &self.literals {
            if may_be(first, text) {
                next.find(behind, found);
            }
            if text.starts_with(begins) {
                next.find_below(behind, found);
            }
        }
        self.parameter.iter().for_each(|next| next.find_below(behind, found));
    }

    /// Finds the same in every subtree of this one.
    fn find_below(&self, asked: &[String], found: &mut BTreeSet<usize>) {
        for next in self.literals.values().chain(self.parameter.as_deref()) {
            next.find(asked, found);
            next.find_below(asked, found);
        }
    }
}

/// Tells whether a text with unknown parts may equal this one.
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
            let (mut tree, mut found) = (Node::default(), BTreeSet::new());
            tree.insert(path.segments(), 0);
            let asked = asked.replace('~', &UNKNOWN.to_string());
            let asked: Vec<String> = asked.split('/').skip(1).map(str::to_owned).collect();
            tree.find(&asked, &mut found);
            assert_eq!(!found.is_empty(), expected);
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
        check("/halls/:hall/seats/:seat", "/halls/red/seats/~", true);
        check("/rooms/:room", "/rooms/a~", true);
        check("/rooms/:room", "/rooms/a/b", false);
        check("/style.css", "/~.css", true);
        check("/style.css", "/~.js", false);
        check("/a-b-c", "/a~b~c", true);
        check("/*rest", "/a/b", true);
        check("/files/*rest", "/files/~", true);
        check("/users", "/user~", true);
    }
}
