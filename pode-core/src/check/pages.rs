//! Pages against the server: what views, public pages and scripts request must
//! exist.
//!
//! An address that leads to another server is not checked, and parts that only
//! the running page knows match anything.

use std::collections::BTreeSet;

use super::site::{Answers, At, FileAt, Site};
use super::suggestion::did_you_mean;
use super::{Code, Diagnostic};
#[cfg(feature = "views")]
use super::{positions, values};
use crate::model::{Action, Argument, File, Folder, Integer, Place, Route, Server, Source};
use crate::page::{self, Asks, By, Html, Request, Sends, UNKNOWN};
use crate::route_path::{RoutePath, Segment};
#[cfg(feature = "views")]
use crate::route_table::split;

const SILENCE: &str = "if that is another server's, write `pode: external` in a comment above";

pub(super) fn check(server: &Server, site: &Site<'_>, found: &mut Vec<Diagnostic>) {
    for views in &server.views {
        for file in views.folder.files() {
            let page = Page::read(&views.folder, file, addresses(server, file));
            page.check(site, found);
            page.check_attributes(server, found);
        }
        #[cfg(feature = "views")]
        {
            values::check(&views.folder, &views.templates, server.own_policy, found);
            positions::check(&views.folder, &views.templates, Some((server, site)), found);
        }
    }
    for public in &server.publics {
        for file in public.folder.files() {
            let own = resolve(&[], &public.path_of(file));
            let page = Page::read(&public.folder, file, vec![own]);
            page.check(site, found);
            page.check_attributes(server, found);
        }
    }
}

/// Returns the paths at which a view appears, as far as declarations say.
fn addresses(server: &Server, file: &File) -> Vec<Vec<String>> {
    let name = file.path.strip_suffix(".html");
    let shows = |action: &Action| matches!(action, Action::View(view) if Some(&*view.text) == name);
    let routes = server.routes.iter().filter(|route| shows(&route.action));
    let segment = |segment: &Segment| match segment {
        Segment::Literal(text) => text.clone(),
        Segment::Parameter(_) | Segment::Rest(_) => UNKNOWN.to_string(),
    };
    routes.map(|route| route.path.segments().iter().map(segment).collect()).collect()
}

/// A page or a script.
struct Page<'server> {
    folder: &'server Folder,
    file: &'server File,
    /// The segments of the paths at which it appears; empty if known only at
    /// run time.
    addresses: Vec<Vec<String>>,
    /// `None` of a script or a style.
    html: Option<Html>,
}

impl<'server> Page<'server> {
    fn read(
        folder: &'server Folder,
        file: &'server File,
        addresses: Vec<Vec<String>>,
    ) -> Page<'server> {
        let is_page = [".html", ".htm"].iter().any(|end| file.path.ends_with(end));
        let html = file.text.as_deref().filter(|_| is_page).map(Html::read);
        Page { folder, file, addresses, html }
    }

    fn check(&self, site: &Site<'_>, found: &mut Vec<Diagnostic>) {
        let Some(text) = &self.file.text else {
            return;
        };
        let is_page = self.html.is_some();
        let is_style = self.file.path.ends_with(".css");
        let is_script = [".js", ".mjs"].iter().any(|end| self.file.path.ends_with(end));
        let requests = match &self.html {
            Some(html) => html.requests().unwrap_or_default(),
            None if is_style => page::requests_of_style(text),
            None if is_script => page::requests_of_script(text),
            // Part of a view.
            None => return,
        };
        for request in &requests {
            let is_import = request.by == By::Import;
            if is_import && site.maps_imports() {
                continue;
            }
            // A script's addresses are relative to the page that runs it.
            let is_own = is_page || is_style || is_import;
            let addresses = if is_own { &self.addresses[..] } else { &[] };
            let asked = |at, path| {
                let at = if request.asks == Asks::BySocket { of_socket(at) } else { at };
                Asked { place: self.folder.path.place, page: self, request, at, path }
            };
            let mistake = match Target::of(&request.address) {
                None => None,
                Some(Target::Own) => {
                    addresses.iter().find_map(|own| asked(At::OWN, own.clone()).judge(site))
                }
                Some(Target::Relative(path)) => {
                    addresses.iter().find_map(|own| asked(At::OWN, resolve(own, path)).judge(site))
                }
                Some(Target::Absolute { at, path }) => asked(at, resolve(&[], path)).judge(site),
            };
            found.extend(mistake.filter(|_| !page::is_external(text, request.line)));
        }
    }

    /// Reports scripts that the Content-Security-Policy of the server's pages
    /// blocks.
    fn check_attributes(&self, server: &Server, found: &mut Vec<Diagnostic>) {
        let Some(html) = self.html.as_ref().filter(|_| !server.own_policy) else {
            return;
        };
        for (line, name) in html.attribute_scripts() {
            let page = self.line(line);
            let message = format!(
                "page `{page}` has a script in an attribute, `{name}`, which browsers don't run here"
            );
            let help = match name.strip_prefix("on") {
                Some(event) => format!(
                    "write `element.addEventListener(\"{event}\", …)` in a script, or declare a `content_security_policy:` at `server`"
                ),
                None => "do it in a script, or declare a `content_security_policy:` at `server`"
                    .to_owned(),
            };
            let place = self.folder.path.place;
            found.push(Diagnostic::new(Code::ScriptInAttribute, place, message, help));
        }
    }

    /// Returns a line of it as messages show it.
    fn line(&self, line: usize) -> String {
        format!("{}:{line}", self.folder.path_of(self.file))
    }
}

/// A request of a page, and its target.
struct Asked<'page> {
    /// Where the folder of the page is declared.
    place: Place,
    page: &'page Page<'page>,
    request: &'page Request,
    at: At<'page>,
    path: Vec<String>,
}

impl Asked<'_> {
    fn judge(&self, site: &Site<'_>) -> Option<Diagnostic> {
        if let Err(listening) = site.serves(self.at, self.by_socket()) {
            let by_another = matches!(self.at, At::Own { scheme: Some(_) })
                && site.serves(At::OWN, self.by_socket()).is_ok();
            return Some(match by_another {
                true => self.other_protocol(&listening),
                false => self.nothing_listens(&listening),
            });
        }
        let there = site.at(self.at, self.by_socket(), &self.path);
        if !there.is_empty() {
            return self
                .method_in_vain(site)
                .or_else(|| self.other_method(&there))
                .or_else(|| self.other_body(site, &there))
                .or_else(|| self.other_value(&there))
                .or_else(|| self.resumes_in_vain(site, &there))
                .or_else(|| self.resumes_elsewhere(site));
        }
        let elsewhere = !site.at(At::OWN, self.by_socket(), &self.path).is_empty();
        Some(if elsewhere { self.at_another_endpoint() } else { self.nothing_there(site) })
    }

    fn by_socket(&self) -> bool {
        self.request.asks == Asks::BySocket
    }

    /// Returns the file and the line as messages show them.
    fn page(&self) -> String {
        self.page.line(self.request.line)
    }

    /// Returns the path as messages show it.
    fn shown(&self) -> String {
        shown(&format!("/{}", self.path.join("/")))
    }

    fn nothing_listens(&self, listening: &[String]) -> Diagnostic {
        let (page, address) = (self.page(), self.request.shown());
        let message = match self.at {
            At::Own { .. } => format!(
                "page `{page}` opens a WebSocket at its own address, where no `ws` or `wss` endpoint listens"
            ),
            At::Port { .. } => {
                format!("page `{page}` asks at `{address}`, where nothing of this server listens")
            }
        };
        let help = match listening.is_empty() {
            true => SILENCE.to_owned(),
            false => format!("this server listens at {}; {SILENCE}", listening.join(", ")),
        };
        Diagnostic::new(Code::PageAddress, self.place, message, help)
    }

    fn other_protocol(&self, listening: &[String]) -> Diagnostic {
        let (page, address, path) = (self.page(), self.request.shown(), self.shown());
        let message = format!(
            "page `{page}` asks at `{address}`, a protocol that this server doesn't speak at the page's address"
        );
        let mut help =
            format!("write the path alone, `{path}`, and the browser takes the page's protocol");
        if !listening.is_empty() {
            help += &format!("; this server listens at {}", listening.join(", "));
        }
        Diagnostic::new(Code::PageProtocol, self.place, message, help)
    }

    fn at_another_endpoint(&self) -> Diagnostic {
        let (page, address, path) = (self.page(), self.request.shown(), self.shown());
        let message =
            format!("page `{page}` asks at `{address}`, but `{path}` is at another endpoint");
        let help = "ask where that endpoint listens, or let both serve it by `endpoint: […]`";
        Diagnostic::new(Code::PageAddress, self.place, message, help)
    }

    fn nothing_there(&self, site: &Site<'_>) -> Diagnostic {
        let (page, path) = (self.page(), self.shown());
        let known = site.paths(self.by_socket(), &self.path);
        let known: Vec<String> = known.iter().map(|path| shown(path)).collect();
        let meant = did_you_mean(&path, known.iter().map(String::as_str));
        let others = site.at(At::OWN, !self.by_socket(), &self.path);
        match &others[..] {
            [Answers::Socket(signal), ..] => return self.is_a_signal(&signal.name.text),
            [Answers::Some(..), ..] if meant.is_none() => return self.is_a_route(),
            _ => {}
        }
        let file = site.path_of_file(&self.path).filter(|_| !self.by_socket());
        let unserved = site.unserved(&self.path).filter(|_| !self.by_socket());
        let help = match (file, unserved, meant) {
            (Some((FileAt::Public(folder), path)), ..) => {
                format!("the folder `{folder}` is no part of the address: write `{path}`")
            }
            (Some((FileAt::View, path)), ..) => {
                format!("that file is the view of a route: write `{path}`")
            }
            (None, Some((unserved, help)), _) => format!("{unserved}: {help}"),
            (None, None, Some(meant)) => format!("did you mean `{meant}`?"),
            (None, None, None) => SILENCE.to_owned(),
        };
        let (code, message) = match self.by_socket() {
            true => (
                Code::PageSignal,
                format!("page `{page}` listens to `{path}`, where there is no signal"),
            ),
            false => (
                Code::PagePath,
                format!("page `{page}` asks for `{path}`, which this server doesn't have"),
            ),
        };
        Diagnostic::new(code, self.place, message, help)
    }

    fn is_a_signal(&self, signal: &str) -> Diagnostic {
        let (page, path) = (self.page(), self.shown());
        let message = format!("page `{page}` asks for `{path}`, which is the signal `{signal}`");
        let help = match self.request.by {
            By::EventSource => {
                format!("signals are WebSockets: write `new WebSocket(\"{path}\")`")
            }
            _ => format!("listen to it in a script: `new WebSocket(\"{path}\")`"),
        };
        Diagnostic::new(Code::PagePath, self.place, message, help)
    }

    fn is_a_route(&self) -> Diagnostic {
        let (page, path) = (self.page(), self.shown());
        let message =
            format!("page `{page}` listens to `{path}`, which is no signal and answers by HTTP");
        let help =
            format!("ask for it by `fetch(\"{path}\")`, or declare a signal at another path");
        Diagnostic::new(Code::PageSignal, self.place, message, help)
    }

    fn other_method(&self, there: &[&Answers<'_>]) -> Option<Diagnostic> {
        let Asks::By(method) = self.request.asks else {
            return None;
        };
        if there.iter().any(|answers| answers.takes(method)) {
            return None;
        }
        let methods: BTreeSet<&str> = there
            .iter()
            .flat_map(|answers| answers.methods())
            .map(|other| other.as_str())
            .collect();
        let methods = Vec::from_iter(methods).join(", ");
        let (page, path) = (self.page(), self.shown());
        let message = format!("page `{page}` sends {method} to `{path}`, which answers {methods}");
        let help = format!("ask by another method, or declare `route {method} \"{path}\"`");
        Some(Diagnostic::new(Code::PageMethod, self.place, message, help))
    }
}

impl Asked<'_> {
    fn method_in_vain(&self, site: &Site<'_>) -> Option<Diagnostic> {
        let Asks::InVain(method) = self.request.asks else {
            return None;
        };
        let (page, path) = (self.page(), self.shown());
        let is_form = self.request.by == By::Form;
        let (message, help) = match is_form {
            true if site.scripts_send_forms() => return None,
            true => (
                format!(
                    "page `{page}` has a form with the method {method}, which browsers send as GET"
                ),
                format!(
                    "forms know `get` and `post`: declare `route POST \"{path}\"`, or send it by \
                     `fetch(\"{path}\", {{ method: \"{method}\", … }})`"
                ),
            ),
            false => (
                format!(
                    "page `{page}` sends `{}` to `{path}`, which is no method in lower case",
                    method.as_str().to_lowercase()
                ),
                format!("write `method: \"{method}\"`"),
            ),
        };
        Some(Diagnostic::new(Code::MethodInVain, self.place, message, help))
    }

    fn other_body(&self, site: &Site<'_>, there: &[&Answers<'_>]) -> Option<Diagnostic> {
        let Asks::By(method) = self.request.asks else {
            return None;
        };
        let (sends, by_form) = (self.request.sends, self.request.by == By::Form);
        let mut taken = None;
        for answers in there.iter().filter(|answers| answers.takes(method)) {
            let Answers::Some(_, Some(route)) = answers else {
                return None;
            };
            taken = Some(body_of(route).filter(|source| !fits(*source, sends))?);
        }
        let taken = taken?;
        if by_form && site.scripts_send_forms() {
            return None;
        }
        let what = match sends {
            Sends::Unknown => return None,
            Sends::Form => "a form",
            Sends::Parts => "a form in parts (`multipart/form-data`)",
            Sends::Json => "JSON",
            Sends::Text => "a body of the type `text/plain`",
        };
        let takes = match taken {
            Source::Form => "form",
            Source::Json => "json",
            Source::Data => "data",
            _ => "multipart",
        };
        const AS_JSON: &str = "add `headers: { \"content-type\": \"application/json\" }`";
        let help = match (taken, sends) {
            (Source::Json, Sends::Text) if !by_form => AS_JSON.to_owned(),
            (Source::Data, Sends::Text) if !by_form => AS_JSON.to_owned(),
            (Source::Json, Sends::Form) => "let the route take `form: …`, or `data: …` for both".into(),
            (Source::Form, Sends::Json) => "let the route take `json: …`, or `data: …` for both".into(),
            (_, Sends::Parts) if by_form => {
                "remove `enctype`, or let the route take `multipart: Multipart`".into()
            }
            (Source::Form | Source::Data, Sends::Parts) => {
                "send `new URLSearchParams(new FormData(form))`, or let the route take `multipart: Multipart`".into()
            }
            (Source::Multipart, _) if by_form => {
                "write `enctype=\"multipart/form-data\"` in the `<form>`, or let the route take `form: …`".into()
            }
            (Source::Multipart, _) => "send `new FormData(form)`, without a content type of your own".into(),
            _ if by_form => "remove `enctype`".into(),
            (Source::Form, _) => "send `new URLSearchParams(…)`, or let the route take `body: String`".into(),
            _ => format!("send `JSON.stringify(…)`, and {AS_JSON}"),
        };
        let (page, path) = (self.page(), self.shown());
        let message = format!("page `{page}` sends {what} to `{path}`, which takes `{takes}`");
        Some(Diagnostic::new(Code::PageBody, self.place, message, help))
    }
}

impl Asked<'_> {
    /// Finds a value that isn't of its parameter's type, so that each request
    /// would be refused.
    fn other_value(&self, there: &[&Answers<'_>]) -> Option<Diagnostic> {
        let mut first = None;
        for answers in there {
            let wrong = match answers {
                Answers::Some(_, Some(route)) => self.wrong_value(&route.path, &route.arguments),
                Answers::Socket(signal) => self.wrong_value(&signal.path, &signal.arguments),
                Answers::Some(_, None) | Answers::All => None,
            };
            first.get_or_insert(wrong?);
        }
        let (value, argument, integer) = first?;
        let (page, path, ty) = (self.page(), self.shown(), integer.name);
        let message = format!("page `{page}` asks for `{path}`, where `{value}` is no `{ty}`");
        let what = if self.by_socket() { "signal" } else { "route" };
        let help = format!("declare a {what} at `{path}`, or take `{argument}: String`");
        Some(Diagnostic::new(Code::ParameterValue, self.place, message, help))
    }

    /// Finds a client that comes back to a signal which keeps nothing for it.
    fn resumes_in_vain(&self, site: &Site<'_>, there: &[&Answers<'_>]) -> Option<Diagnostic> {
        let (_, query) = self.request.address.split_once('?')?;
        let resumes = query.split('&').any(|field| field.starts_with("resume="));
        let in_vain = |answers: &&Answers<'_>| match answers {
            Answers::Socket(signal) => site.ignores_resume(signal),
            Answers::Some(..) | Answers::All => false,
        };
        // That there is no such position is told as well.
        if !resumes || self.asks_for_position() || !there.iter().all(in_vain) {
            return None;
        }
        let Some(Answers::Socket(signal)) = there.first() else { return None };
        let (page, path, name) = (self.page(), self.shown(), &signal.name.text);
        let message = format!(
            "page `{page}` resumes at `{path}`, but signal `{name}` keeps no messages, so what was \
             missed is lost"
        );
        let help = "declare it with `{ history_messages: 100 }`, or leave `resume` out";
        Some(Diagnostic::new(Code::NoPosition, signal.name.place, message, help))
    }

    /// Tells whether a template writes where to resume: `?resume={{ position(…) }}`.
    fn asks_for_position(&self) -> bool {
        let text = self.page.file.text.as_deref().unwrap_or_default();
        let line = text.lines().nth(self.request.line - 1).unwrap_or_default();
        line.split_once("resume={{")
            .is_some_and(|(_, code)| code.trim_start().starts_with("position("))
    }

    /// Finds `"/chat?resume={{ position("/news") }}"`, with the position of another path.
    #[cfg(feature = "views")]
    fn resumes_elsewhere(&self, site: &Site<'_>) -> Option<Diagnostic> {
        let (folder, file, line) = (self.page.folder, self.page.file, self.request.line);
        let has_query = self.request.address.contains('?');
        if !has_query
            || !self.by_socket()
            || !self.asks_for_position()
            || self.shown().contains('…')
        {
            return None;
        }
        let calls = page::positions(&file.path, |path| folder.file(path)?.text.as_deref());
        let mut calls = calls.iter().filter(|call| call.file == file.path && call.line == line);
        let (Some(call), None) = (calls.next(), calls.next()) else { return None };
        // That there is no signal, or that this is a pattern, is told as well.
        let of = call.path.as_ref().filter(|path| !path.contains([UNKNOWN, ':', '{']))?;
        let asked: Vec<String> = split(of)?.into_iter().map(Into::into).collect();
        if asked == self.path || site.at(At::OWN, true, &asked).is_empty() {
            return None;
        }
        let (page, path) = (self.page(), self.shown());
        let message = format!("page `{page}` resumes at `{path}` by the position of `{of}`");
        let help = format!("write `position(\"{path}\")`");
        Some(Diagnostic::new(Code::NoPosition, self.place, message, help))
    }

    #[cfg(not(feature = "views"))]
    fn resumes_elsewhere(&self, _: &Site<'_>) -> Option<Diagnostic> {
        None
    }

    fn wrong_value<'asked>(
        &'asked self,
        path: &RoutePath,
        arguments: &'asked [Argument],
    ) -> Option<(&'asked str, &'asked str, Integer)> {
        let segments = path.segments().iter().zip(&self.path);
        // Behind an unknown part, each may be at another place.
        let mut known = segments.take_while(|(_, asked)| !asked.contains(UNKNOWN));
        known.find_map(|(segment, asked)| {
            let Segment::Parameter(name) = segment else { return None };
            let argument = arguments.iter().find(|argument| argument.name.text == *name)?;
            let integer = argument.integer.filter(|integer| !integer.parses(asked))?;
            Some((asked.as_str(), argument.name.text.as_str(), integer))
        })
    }
}

fn body_of(route: &Route) -> Option<Source> {
    route.arguments.iter().map(|argument| argument.source).find(|source| source.is_body())
}

/// Tells whether a route takes a body of this type, or may do so.
fn fits(source: Source, sends: Sends) -> bool {
    match source {
        _ if sends == Sends::Unknown => true,
        Source::Form => sends == Sends::Form,
        Source::Json => sends == Sends::Json,
        Source::Data => matches!(sends, Sends::Form | Sends::Json),
        Source::Multipart => sends == Sends::Parts,
        Source::Body | Source::Path | Source::Query => true,
    }
}

/// Returns the address that a WebSocket connects to: `new WebSocket` takes `http`
/// for `ws` (WHATWG WebSockets, section 3.1).
fn of_socket(at: At<'_>) -> At<'_> {
    let of_socket = |scheme| match scheme {
        "http" => "ws",
        "https" => "wss",
        other => other,
    };
    match at {
        At::Own { scheme } => At::Own { scheme: scheme.map(of_socket) },
        At::Port { scheme, port } => At::Port { scheme: scheme.map(of_socket), port },
    }
}

/// Returns a path as messages show it, with `…` for its unknown parts.
fn shown(path: &str) -> String {
    path.replace(UNKNOWN, "…")
}

/// The target of an address, without query and fragment.
#[derive(Debug, PartialEq, Eq)]
enum Target<'address> {
    /// The page itself.
    Own,
    /// A path relative to the page.
    Relative(&'address str),
    /// A path of a server on this machine.
    Absolute { at: At<'address>, path: &'address str },
}

impl<'address> Target<'address> {
    /// `None` if it leads to another server, or is known only at run time.
    fn of(address: &'address str) -> Option<Target<'address>> {
        let whole = address.split(['?', '#']).next().unwrap_or_default();
        if whole.is_empty() {
            return (!address.starts_with('#')).then_some(Target::Own);
        }
        let (scheme, rest) = match whole.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, whole),
        };
        // In `${location.protocol}//…`, the colon is in the unknown part.
        let behind = rest.trim_start_matches(UNKNOWN);
        let unknown = (behind.len() < rest.len()).then_some(behind);
        if let Some(rest) = unknown.filter(|_| scheme.is_none()) {
            let rest = rest.strip_prefix(':').unwrap_or(rest);
            let (at, path) = authority(None, rest.strip_prefix("//")?)?;
            return Some(Target::Absolute { at, path });
        }
        match (scheme, rest.strip_prefix("//")) {
            (Some("http" | "https" | "ws" | "wss"), Some(rest)) | (None, Some(rest)) => {
                let (at, path) = authority(scheme, rest)?;
                Some(Target::Absolute { at, path })
            }
            (Some(_), _) => None,
            (None, None) if rest.starts_with('/') => {
                Some(Target::Absolute { at: At::OWN, path: rest })
            }
            (None, None) => Some(Target::Relative(rest)),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Splits the text after `//` into the server and the path.
fn authority<'address>(
    scheme: Option<&'address str>,
    rest: &'address str,
) -> Option<(At<'address>, &'address str)> {
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    if authority.chars().eq([page::HOST]) {
        return Some((At::Own { scheme }, path));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, if matches!(scheme, Some("https" | "wss")) { 443 } else { 80 }),
    };
    let is_here = host.chars().eq([page::HOSTNAME])
        || matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0");
    is_here.then_some((At::Port { scheme, port }, path))
}

/// Resolves a path relative to a page's into segments, as RFC 3986, section
/// 5.2.4, defines.
pub(super) fn resolve(page: &[String], path: &str) -> Vec<String> {
    let (mut segments, path) = match path.strip_prefix('/') {
        Some(path) => (Vec::new(), path),
        // The last one is the page's own name.
        None => (page[..page.len().saturating_sub(1)].to_vec(), path),
    };
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => _ = segments.pop(),
            _ => segments.push(decoded(segment)),
        }
    }
    // A trailing slash makes no other path.
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    segments
}

fn decoded(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_this_server_or_elsewhere() {
        let own = |path| Some(Target::Absolute { at: At::OWN, path });
        let port =
            |scheme, port, path| Some(Target::Absolute { at: At::Port { scheme, port }, path });
        assert_eq!(Target::of("/a?b#c"), own("/a"));
        assert_eq!(Target::of("a/b"), Some(Target::Relative("a/b")));
        assert_eq!(Target::of(""), Some(Target::Own));
        assert_eq!(Target::of("?page=2"), Some(Target::Own));
        let plain = At::Own { scheme: Some("ws") };
        let target = Some(Target::Absolute { at: plain, path: "/a" });
        assert_eq!(Target::of("ws://\u{e000}/a"), target);
        assert_eq!(Target::of("\u{fffc}//\u{e000}/a"), own("/a"));
        assert_eq!(Target::of("\u{fffc}://\u{e000}/a"), own("/a"));
        assert_eq!(Target::of("//\u{e000}/a"), own("/a"));
        assert_eq!(Target::of("ws://\u{e001}:8091/"), port(Some("ws"), 8091, "/"));
        assert_eq!(Target::of("ws://localhost:8091"), port(Some("ws"), 8091, "/"));
        assert_eq!(Target::of("https://[::1]/a"), port(Some("https"), 443, "/a"));
        for elsewhere in [
            "#top",
            "mailto:a@b",
            "data:,x",
            "https://example.org/a",
            "//example.org/a",
            "\u{fffc}",
            "\u{fffc}/a",
            "ws://\u{fffc}/a",
            "ws://\u{e000}\u{fffc}",
            "ws://localhost:\u{fffc}/",
        ] {
            assert_eq!(Target::of(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn relative_paths_begin_at_the_page() {
        let page = ["users".to_owned(), "list".to_owned()];
        for (path, expected) in [
            ("edit", "users/edit"),
            ("./edit/", "users/edit"),
            ("../style.css", "style.css"),
            ("../../../a%20b", "a b"),
            ("/a", "a"),
            ("", "users"),
        ] {
            assert_eq!(resolve(&page, path).join("/"), expected, "{path}");
        }
    }
}
