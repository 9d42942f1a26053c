//! Arguments: what handlers take from a request.

use super::suggestion::did_you_mean;
use super::{Code, Diagnostic};
use crate::model::{Action, Route, Server, Source};
use crate::route_path::RESERVED_NAMES;

/// The most arguments that a handler takes behind its event.
pub const MAX_ARGUMENTS: usize = 8;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for route in &server.routes {
        arguments(route, found);
    }
}

fn arguments(route: &Route, found: &mut Vec<Diagnostic>) {
    if let Some(first_too_many) = route.arguments.get(MAX_ARGUMENTS) {
        let message = format!("a handler takes at most {MAX_ARGUMENTS} arguments");
        let help = "take several values by one `query`, `form` or `json`, or by `event.parameter(\"name\")`";
        let place = first_too_many.name.place;
        found.push(Diagnostic::new(Code::TooManyArguments, place, message, help));
    }
    let mut earlier_body = None;
    let mut misspelled = 0;
    for (index, argument) in route.arguments.iter().enumerate() {
        let name = &argument.name;
        if let Some(earlier) =
            route.arguments[..index].iter().find(|other| other.name.text == name.text)
        {
            let message = format!("argument `{}` stands twice", name.text);
            found.push(
                Diagnostic::new(Code::ArgumentTwice, name.place, message, "remove one")
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
        if let Some(method) = route.methods().find(|method| !method.carries_body()) {
            let message = format!(
                "a {method} request has no body, so `{}` can't be taken from it",
                name.text
            );
            let help = "use `query` for what stands behind the `?`, or answer POST";
            found.push(Diagnostic::new(Code::NoBody, name.place, message, help));
        }
        match earlier_body {
            None => earlier_body = Some(name),
            Some(first) => {
                let message = format!("`{}` and `{}` both take the body", first.text, name.text);
                let help = "a body can be read once; keep one of them";
                found.push(
                    Diagnostic::new(Code::TwoBodies, name.place, message, help)
                        .other(first.place, "the body is taken here"),
                );
            }
        }
    }
    // A view gets its parameters as variables; a handler must take them.
    if let Action::Handler = route.action {
        // As many as were misspelled above are told there.
        for parameter in untaken(route).skip(misspelled) {
            let message = format!("nothing takes the path parameter `{parameter}`");
            let help = format!("add the argument `{parameter}: Type` behind the path");
            found.push(Diagnostic::new(Code::ParameterNotTaken, route.path_place, message, help));
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
    Diagnostic::new(Code::UnknownArgument, name.place, message, help)
}
