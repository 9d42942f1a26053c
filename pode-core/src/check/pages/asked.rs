//! A request of a page: whether its server answers it, and as the page expects.

use std::collections::BTreeSet;

use super::Page;
use crate::check::site::{Answers, At, FileAt, Site};
use crate::check::suggestion::did_you_mean;
use crate::check::{Code, Diagnostic};
use crate::model::{Argument, Integer, Place, Route, Source};
#[cfg(feature = "views")]
use crate::page;
use crate::page::{Asks, By, Request, Sends, UNKNOWN};
use crate::route_path::{RoutePath, Segment};
#[cfg(feature = "views")]
use crate::route_table::split;

const SILENCE: &str = "if that is another server's, write `pode: external` in a comment above";

/// A request of a page, and its target.
pub(super) struct Asked<'page> {
    /// Where the folder of the page is declared.
    pub(super) place: Place,
    pub(super) page: &'page Page<'page>,
    pub(super) request: &'page Request,
    pub(super) at: At<'page>,
    pub(super) path: Vec<String>,
}

impl Asked<'_> {
    pub(super) fn judge(&self, site: &Site<'_>) -> Option<Diagnostic> {
        if self.request.by == By::EventSource && self.is_heard(site) {
            return None;
        }
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

    /// Whether a signal is there, which is an event stream, too.
    fn is_heard(&self, site: &Site<'_>) -> bool {
        site.serves(self.at, true).is_ok() && !site.at(self.at, true, &self.path).is_empty()
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
        let mut known = site.paths(self.by_socket(), &self.path);
        if self.request.by == By::EventSource {
            known.extend(site.paths(true, &self.path));
        }
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
        let help = format!("listen to it in a script: `new WebSocket(\"{path}\")`");
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

/// Returns a path as messages show it, with `…` for its unknown parts.
fn shown(path: &str) -> String {
    path.replace(UNKNOWN, "…")
}
