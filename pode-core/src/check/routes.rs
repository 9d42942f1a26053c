//! Routes: which requests they take, and what their handlers take from those.

use super::Diagnostic;
use super::endpoints::unknown_names;
use super::suggestion::{did_you_mean, help_with_choices};
use crate::model::{Action, Route, Server, Source};
use crate::route_path::{Overlap, RESERVED_NAMES};

/// The most arguments that a handler takes behind its event.
const MAX_ARGUMENTS: usize = 8;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    found.extend(no_endpoint(server));
    for (index, route) in server.routes.iter().enumerate() {
        for earlier in &server.routes[..index] {
            found.extend(take_the_same(earlier, route));
        }
        found.extend(unknown_names(server, &route.endpoints, "route", |endpoint| {
            !endpoint.protocol.serves_signals()
        }));
        arguments(route, found);
        found.extend(redirect_parameters(route));
    }
}

/// Several routes without an endpoint are one mistake, told at the first.
fn no_endpoint(server: &Server) -> Option<Diagnostic> {
    let first = server.routes.first()?;
    let served = server.endpoints.iter().any(|endpoint| !endpoint.protocol.serves_signals());
    (!served && !server.incomplete).then(|| {
        Diagnostic::new(first.head.noun, "routes need an `http` or `https` endpoint")
            .help("add `endpoint http \"127.0.0.1:8090\";`")
    })
}

fn take_the_same(earlier: &Route, later: &Route) -> Option<Diagnostic> {
    let (method, _) = later
        .methods
        .iter()
        .find(|(method, _)| earlier.methods.iter().any(|(other, _)| other == method))?;
    // A route bound to an endpoint wins there over one that serves all.
    let equally_bound = earlier.endpoints.is_empty() == later.endpoints.is_empty();
    let meet_somewhere = earlier.endpoints.is_empty()
        || earlier
            .endpoints
            .iter()
            .any(|name| later.endpoints.iter().any(|other| other.text == name.text));
    if !earlier.head.meets(&later.head) || !equally_bound || !meet_somewhere {
        return None;
    }
    match earlier.path.overlap(&later.path) {
        Overlap::Same => {
            let alike = match earlier.path == later.path {
                true => String::new(),
                false => format!(", as `{}`", earlier.path),
            };
            let message = format!("route `{method} {}` is declared twice{alike}", later.path);
            let first = earlier.path_place;
            Some(
                Diagnostic::new(later.path_place, message)
                    .help("remove one, or give one an `endpoint:` option")
                    .other(first, "first declared here"),
            )
        }
        Overlap::Crossing => {
            let message = format!(
                "`{method} {}` and `{method} {}` take some requests both, and neither is the more specific",
                earlier.path, later.path
            );
            Some(
                Diagnostic::new(later.path_place, message)
                    .help("give them different fixed parts, or one more route for what both take")
                    .other(earlier.path_place, "the other route"),
            )
        }
        Overlap::None | Overlap::Inside => None,
    }
}

fn arguments(route: &Route, found: &mut Vec<Diagnostic>) {
    if let Some(first_too_many) = route.arguments.get(MAX_ARGUMENTS) {
        let message = format!("a handler takes at most {MAX_ARGUMENTS} arguments");
        found.push(
            Diagnostic::new(first_too_many.name.place, message)
                .help("take several values by one `query`, `form` or `json`, or by `event.parameter(\"name\")`"),
        );
    }
    let mut earlier_body = None;
    let mut misspelled = 0;
    for (index, argument) in route.arguments.iter().enumerate() {
        let name = &argument.name;
        if let Some(earlier) =
            route.arguments[..index].iter().find(|other| other.name.text == name.text)
        {
            found.push(
                Diagnostic::new(name.place, format!("argument `{}` stands twice", name.text))
                    .help("remove one")
                    .other(earlier.name.place, "first stands here"),
            );
            continue;
        }
        if argument.source == Source::Path
            && !route.path.parameters().any(|other| other == name.text)
        {
            found.push(no_such_parameter(route, index));
            misspelled += 1;
        }
        if !argument.source.is_body() {
            continue;
        }
        if let Some((method, _)) = route.methods.iter().find(|(method, _)| !method.carries_body()) {
            let message = format!(
                "a {method} request has no body, so `{}` can't be taken from it",
                name.text
            );
            found.push(
                Diagnostic::new(name.place, message)
                    .help("use `query` for what stands behind the `?`, or answer POST"),
            );
        }
        match earlier_body {
            None => earlier_body = Some(name),
            Some(first) => found.push(
                Diagnostic::new(
                    name.place,
                    format!("`{}` and `{}` both take the body", first.text, name.text),
                )
                .help("a body can be read once; keep one of them")
                .other(first.place, "the body is taken here"),
            ),
        }
    }
    // A view gets its parameters as variables; a handler must take them.
    if let Action::Handler = route.action {
        // As many as were misspelled above are told there.
        for parameter in untaken(route).skip(misspelled) {
            let message = format!("nothing takes the path parameter `{parameter}`");
            let help = format!("add the argument `{parameter}: Type` behind the path");
            found.push(Diagnostic::new(route.path_place, message).help(help));
        }
    }
}

/// Returns the path parameters that no argument takes.
fn untaken(route: &Route) -> impl Iterator<Item = &str> {
    let taken =
        |parameter: &str| route.arguments.iter().any(|argument| argument.name.text == parameter);
    route.path.parameters().filter(move |parameter| !taken(parameter))
}

fn no_such_parameter(route: &Route, index: usize) -> Diagnostic {
    let name = &route.arguments[index].name;
    let mut untaken = untaken(route);
    let only = untaken.next().filter(|_| untaken.next().is_none());
    let choices = route.path.parameters().chain(RESERVED_NAMES);
    let help = match did_you_mean(&name.text, choices).or(only) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "arguments are path parameters, as in `{}/:{}`, or one of {}",
            route.path.to_string().trim_end_matches('/'),
            name.text,
            RESERVED_NAMES.map(|name| format!("`{name}`")).join(", ")
        ),
    };
    let message = format!("route path `{}` has no parameter `{}`", route.path, name.text);
    Diagnostic::new(name.place, message).help(help)
}

/// A redirect within this server may hold parameters of its path, and no
/// others.
fn redirect_parameters(route: &Route) -> Vec<Diagnostic> {
    let Action::Redirect(target) = &route.action else {
        return Vec::new();
    };
    let known: Vec<&str> = route.path.parameters().collect();
    let segments = target.text.strip_prefix('/').into_iter().flat_map(|path| path.split('/'));
    let names = segments.filter_map(|segment| segment.strip_prefix([':', '*']));
    let unknown = names.filter(|name| !known.contains(name)).map(|name| {
        let message =
            format!("route path `{}` has no parameter `{name}` to redirect with", route.path);
        let help = match known.is_empty() {
            true => "write the whole target".to_owned(),
            false => help_with_choices(name, &known, "its parameters are"),
        };
        Diagnostic::new(target.place, message).help(help)
    });
    unknown.collect()
}
