//! Pages against the server: what views, public pages and scripts ask for must
//! be there.
//!
//! An address that leads to another server is nobody's business here, and what
//! only the running page knows may be anything.

use super::site::{At, Site};
use super::suggestion::did_you_mean;
use super::{Code, Diagnostic};
use crate::model::{Action, File, Folder, Server};
use crate::page::{self, Asks, Request, UNKNOWN};
use crate::route_path::Segment;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    // What seems to be lacking may be in a declaration that was not understood.
    if server.incomplete {
        return;
    }
    let site = Site::of(server);
    for views in &server.views {
        for file in views.folder.files() {
            let page = Page { folder: &views.folder, file, addresses: addresses(server, file) };
            page.check(&site, found);
        }
    }
    for public in &server.publics {
        for file in public.folder.files() {
            let own = resolve(&[], &public.path_of(file));
            let page = Page { folder: &public.folder, file, addresses: vec![own] };
            page.check(&site, found);
        }
    }
}

/// Returns the paths at which a view appears, as far as declarations tell.
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
    /// The segments of the paths at which it appears; none if only the run
    /// time knows.
    addresses: Vec<Vec<String>>,
}

impl Page<'_> {
    fn check(&self, site: &Site<'_>, found: &mut Vec<Diagnostic>) {
        let Some(text) = &self.file.text else {
            return;
        };
        let is_page = [".html", ".htm"].iter().any(|end| self.file.path.ends_with(end));
        let requests = match is_page {
            true => page::requests_of_page(text).unwrap_or_default(),
            false => page::requests_of_script(text),
        };
        for request in requests {
            if let Some((code, message, help)) = self.judge(site, &request, is_page)
                && !page::is_external(text, request.line)
            {
                found.push(Diagnostic::new(code, self.folder.path.place, message, help));
            }
        }
    }

    /// Returns what is wrong with a request, and what to do.
    fn judge(
        &self,
        site: &Site<'_>,
        request: &Request,
        is_page: bool,
    ) -> Option<(Code, String, String)> {
        let place = format!("{}:{}", self.folder.path_of(self.file), request.line);
        match Target::of(&request.address)? {
            Target::Own => self
                .addresses
                .iter()
                .filter(|_| is_page)
                .find_map(|own| self.judge_path(site, request, &place, At::Own, own)),
            // A script's addresses are relative to the page that runs it.
            Target::Relative(path) => self.addresses.iter().filter(|_| is_page).find_map(|own| {
                let path = resolve(own, path);
                self.judge_path(site, request, &place, At::Own, &path)
            }),
            Target::Absolute { at, path } => {
                let path = resolve(&[], path);
                self.judge_path(site, request, &place, at, &path)
            }
        }
    }

    fn judge_path(
        &self,
        site: &Site<'_>,
        request: &Request,
        place: &str,
        at: At<'_>,
        path: &[String],
    ) -> Option<(Code, String, String)> {
        let by_socket = request.asks == Asks::BySocket;
        let silence = "if that is another server's, write `pode: external` in a comment above";
        if let Err(listening) = site.serves(at, by_socket) {
            let message = match at {
                At::Own => format!(
                    "page `{place}` opens a WebSocket at its own address, where no `ws` or `wss` endpoint listens"
                ),
                At::Port { .. } => format!(
                    "page `{place}` asks at `{}`, where nothing of this server listens",
                    request.shown()
                ),
            };
            let help = match listening.is_empty() {
                true => silence.to_owned(),
                false => format!("this server listens at {}; {silence}", listening.join(", ")),
            };
            return Some((Code::PageAddress, message, help));
        }
        let shown = format!("/{}", path.join("/")).replace(UNKNOWN, "…");
        let there = site.at(at, by_socket, path);
        if there.is_empty() {
            let known = site.paths(by_socket);
            let help = match did_you_mean(&shown, known.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => silence.to_owned(),
            };
            return Some(match by_socket {
                true => {
                    let message =
                        format!("page `{place}` listens to `{shown}`, where there is no signal");
                    (Code::PageSignal, message, help)
                }
                false => {
                    let message = format!(
                        "page `{place}` asks for `{shown}`, which this server doesn't have"
                    );
                    (Code::PagePath, message, help)
                }
            });
        }
        let Asks::By(method) = request.asks else {
            return None;
        };
        if there.iter().any(|answers| answers.takes(method)) {
            return None;
        }
        let mut methods: Vec<&str> = there
            .iter()
            .flat_map(|answers| answers.methods())
            .map(|other| other.as_str())
            .collect();
        methods.sort_unstable();
        methods.dedup();
        let message = format!(
            "page `{place}` sends {method} to `{shown}`, which answers {}",
            methods.join(", ")
        );
        let help = format!("ask by another method, or declare `route {method} \"{shown}\"`");
        Some((Code::PageMethod, message, help))
    }
}

/// Where an address leads, its query and fragment left out.
#[derive(Debug, PartialEq, Eq)]
enum Target<'address> {
    /// The page itself.
    Own,
    /// A path from the page on.
    Relative(&'address str),
    /// A path of a server on this machine.
    Absolute { at: At<'address>, path: &'address str },
}

impl<'address> Target<'address> {
    /// `None` if it leads to another server, or only the run time knows.
    fn of(address: &'address str) -> Option<Target<'address>> {
        let whole = address.split(['?', '#']).next().unwrap_or_default();
        if whole.is_empty() {
            return (!address.starts_with('#')).then_some(Target::Own);
        }
        let (scheme, rest) = match whole.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, whole),
        };
        // `${location.protocol}//…` has its colon in what is unknown.
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
                Some(Target::Absolute { at: At::Own, path: rest })
            }
            (None, None) => Some(Target::Relative(rest)),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Splits what stands behind `//` into the server it means and the path.
fn authority<'address>(
    scheme: Option<&'address str>,
    rest: &'address str,
) -> Option<(At<'address>, &'address str)> {
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    if authority.chars().eq([page::HOST]) {
        return Some((At::Own, path));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, if matches!(scheme, Some("https" | "wss")) { 443 } else { 80 }),
    };
    let is_here = host.chars().eq([page::HOSTNAME])
        || matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0");
    is_here.then_some((At::Port { scheme, port }, path))
}

/// Returns the segments of the path that another one means from a page on, as
/// RFC 3986, section 5.2.4, has it.
fn resolve(page: &[String], path: &str) -> Vec<String> {
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
    // A last slash makes no other path.
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
        let own = |path| Some(Target::Absolute { at: At::Own, path });
        let port =
            |scheme, port, path| Some(Target::Absolute { at: At::Port { scheme, port }, path });
        assert_eq!(Target::of("/a?b#c"), own("/a"));
        assert_eq!(Target::of("a/b"), Some(Target::Relative("a/b")));
        assert_eq!(Target::of(""), Some(Target::Own));
        assert_eq!(Target::of("?page=2"), Some(Target::Own));
        assert_eq!(Target::of("ws://\u{e000}/a"), own("/a"));
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
