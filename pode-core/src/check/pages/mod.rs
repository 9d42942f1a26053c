//! Pages against the server: what views, public pages and scripts request must
//! exist.
//!
//! An address that leads to another server is not checked, and parts that only
//! the running page knows match anything.
//!
//! `target` finds out where an address leads, and `asked` judges the request.

mod asked;
pub(super) mod target;

use self::asked::Asked;
use self::target::{Target, of_socket, resolve};
use super::site::{At, Site};
use super::{Code, Diagnostic};
#[cfg(feature = "views")]
use super::{positions, values};
use crate::model::{Action, File, Folder, Server};
use crate::page::{self, Asks, By, Html, UNKNOWN};
use crate::route_path::Segment;

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
