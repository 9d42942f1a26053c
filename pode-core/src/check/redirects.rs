//! Redirects: whether their parameters are known, and whether something answers
//! where they lead.

use super::pages::target::resolve;
use super::site::{Answers, At, Site};
use super::suggestion::{did_you_mean, help_with_choices};
use super::{Code, Diagnostic};
use crate::method::Method;
use crate::model::{Action, Name, Route, Server};
use crate::page::UNKNOWN;

/// `site` is `None` if a declaration was not understood, which may be the target.
pub(super) fn check(server: &Server, site: Option<&Site<'_>>, found: &mut Vec<Diagnostic>) {
    for route in &server.routes {
        if let Action::Redirect(target) = &route.action {
            let wrong = wrong_parameters(route, target);
            let lead = site.filter(|_| wrong.is_empty());
            found.extend(lead.and_then(|site| wrong_target(site, target)));
            found.extend(wrong);
        }
    }
}

/// A redirect within this server may contain parameters of its path, and no
/// others.
fn wrong_parameters(route: &Route, target: &Name) -> Vec<Diagnostic> {
    let known: Vec<&str> = route.path.parameters().collect();
    // The address of another server isn't filled in.
    let (path, behind) = own_path(&target.text).unwrap_or(("", &target.text));
    let (parameters, fixed): (Vec<&str>, Vec<&str>) =
        path.split('/').partition(|segment| segment.starts_with([':', '*']));
    let words = fixed.into_iter().chain([behind]).flat_map(|text| text.split([':', '*']).skip(1));
    let never = words.filter(|word| known.iter().any(|name| begins_with_word(word, name)));
    let never = never.map(|word| {
        let message = format!("`:{word}` is not filled in there");
        let help = "parameters are whole segments of a path of this server; for any other address \
                    answer by a handler, with `redirect(&address)`";
        Diagnostic::new(Code::RedirectParameter, target.place, message, help)
    });
    let names = parameters.iter().map(|segment| &segment[1..]);
    let unknown = names.filter(|name| !known.contains(name)).map(|name| {
        let message =
            format!("route path `{}` has no parameter `{name}` to redirect with", route.path);
        let help = match known.is_empty() {
            true => "write the whole target".to_owned(),
            false => help_with_choices(name, &known, "its parameters are"),
        };
        Diagnostic::new(Code::RedirectParameter, target.place, message, help)
    });
    unknown.chain(never).collect()
}

/// A redirect within this server leads to what answers GET.
fn wrong_target(site: &Site<'_>, target: &Name) -> Option<Diagnostic> {
    let (path, _) = own_path(&target.text)?;
    let segments = path.split('/').map(|segment| match segment.starts_with([':', '*']) {
        true => UNKNOWN.to_string(),
        false => segment.to_owned(),
    });
    let asked = resolve(&[], &Vec::from_iter(segments).join("/"));
    let there = site.at(At::OWN, false, &asked);
    if there.iter().any(|answers| answers.takes(Method::Get)) {
        return None;
    }
    let path = format!("/{path}");
    let signals = site.at(At::OWN, true, &asked);
    let (message, help) = match (&there[..], &signals[..]) {
        ([], [Answers::Socket(signal), ..]) => (
            format!("`{path}` is the signal `{}`, where no redirect can lead", signal.name.text),
            format!("let a page listen to it: `new WebSocket(\"{path}\")`"),
        ),
        ([], _) => {
            let known = site.paths(false, &[]);
            let help = match did_you_mean(&path, known.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "add `route GET \"{path}\"`; if that is another server's, answer by a handler, \
                     with `redirect(…)`"
                ),
            };
            (format!("nothing of this server answers at `{path}`"), help)
        }
        _ => (
            format!("`{path}` doesn't answer GET, by which browsers follow a redirect"),
            format!("add `route GET \"{path}\"`, or redirect to another path"),
        ),
    };
    Some(Diagnostic::new(Code::RedirectTarget, target.place, message, help))
}

/// Splits a redirect to this server into the path behind its first slash, and
/// the query and fragment. Behind `//` stands another server.
fn own_path(target: &str) -> Option<(&str, &str)> {
    let own = target.strip_prefix('/').filter(|path| !path.starts_with('/'))?;
    Some(own.split_at(own.find(['?', '#']).unwrap_or(own.len())))
}

/// Whether a text begins with this whole word.
fn begins_with_word(text: &str, word: &str) -> bool {
    let behind = text.strip_prefix(word);
    behind.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}
