//! Endpoints: names and addresses that conflict, and endpoints that serve
//! nothing.

use super::suggestion::help_with_choices;
use super::twice::names_twice;
use super::{Code, Diagnostic};
use crate::model::{Endpoint, Name, Server};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    let names = server.endpoints.iter();
    let names = names.filter_map(|endpoint| Some((&endpoint.head, endpoint.name.as_ref()?)));
    let help = "give one of them another name";
    names_twice(Code::EndpointTwice, "endpoint", help, names, found);
    for (index, endpoint) in server.endpoints.iter().enumerate() {
        for earlier in &server.endpoints[..index] {
            if endpoint.head.meets(&earlier.head) {
                found.extend(addresses_clash(earlier, endpoint));
            }
        }
    }
}

/// Finds endpoints at which every request would be refused.
///
/// Runs last, and only if nothing else is wrong: another mistake usually
/// concerns what such an endpoint should serve.
pub(super) fn check_idle(server: &Server, found: &mut Vec<Diagnostic>) {
    if found.iter().all(|found| found.code.is_advice()) && !server.incomplete {
        found.extend(server.endpoints.iter().filter_map(|endpoint| idle(server, endpoint)));
    }
}

/// `http` and `ws` may share one address, and so may `https` and `wss`. No
/// other two protocols may.
fn addresses_clash(earlier: &Endpoint, later: &Endpoint) -> Option<Diagnostic> {
    let (first, second) = (earlier.bind?, later.bind?);
    let (one, other) = (earlier.protocol, later.protocol);
    let (message, help) = if first.clashes(&second) {
        let message = format!("`{second}` clashes with `{first}`");
        let help =
            "all interfaces include each one of them; choose another port, or one address for both";
        (message, help)
    } else if !first.same(&second) || first.port == 0 {
        return None;
    } else if one == other {
        let message = format!("two `{one}` endpoints listen at `{second}`");
        (message, "remove one, or choose another port")
    } else if one.is_secure() != other.is_secure() {
        let message = format!("`{one}` and `{other}` can't share an address");
        (message, "a port speaks TLS or it doesn't; choose another port")
    } else {
        return None;
    };
    Some(
        Diagnostic::new(Code::AddressesClash, later.address_place, message, help)
            .other(earlier.address_place, "first declared here"),
    )
}

fn idle(server: &Server, endpoint: &Endpoint) -> Option<Diagnostic> {
    let protocol = endpoint.protocol;
    let names_it = |name: &Name| endpoint.name.as_ref().is_some_and(|own| own.text == name.text);
    if server.operations.iter().any(|operations| names_it(&operations.endpoint)) {
        return None;
    }
    let is_chosen = |chosen: &[Name]| chosen.is_empty() || chosen.iter().any(names_it);
    let (what, example) = match protocol.serves_signals() {
        true => ("signals", "signal NEWS: String = \"/news\";"),
        false => ("routes", "route GET \"/\" => async |_| text(\"hello\");"),
    };
    let (declared, serves) = match protocol.serves_signals() {
        true => {
            let mut signals = server.signals.iter();
            (!server.signals.is_empty(), signals.any(|signal| is_chosen(&signal.endpoints)))
        }
        false => {
            let others = !server.publics.is_empty() || !server.mounts.is_empty();
            let mut routes = server.routes.iter();
            let serves = others || routes.any(|route| is_chosen(&route.endpoints));
            (!server.routes.is_empty(), serves)
        }
    };
    if serves {
        return None;
    }
    let (message, help) = match (declared, &endpoint.name) {
        (false, _) => (
            format!("this `{protocol}` endpoint serves nothing: no {what} are declared"),
            format!("declare one, as in `{example}`, or remove the endpoint"),
        ),
        (true, Some(name)) => (
            format!("endpoint `{}` serves nothing: all {what} chose others", name.text),
            format!("choose it by `{{ endpoint: {} }}`, or remove it", name.text),
        ),
        (true, None) => (
            format!("this `{protocol}` endpoint serves nothing: all {what} chose others"),
            "remove it, or the `endpoint:` option of what it should serve".to_owned(),
        ),
    };
    Some(Diagnostic::new(Code::IdleEndpoint, endpoint.protocol_place, message, help))
}

/// Finds names in an `endpoint:` option that no endpoint has, or whose endpoint
/// doesn't serve this noun. `what` is "route" or "signal".
pub(super) fn unknown_names(
    server: &Server,
    chosen: &[Name],
    what: &str,
    serves: impl Fn(&Endpoint) -> bool,
) -> Vec<Diagnostic> {
    let names: Vec<&str> = server
        .endpoints
        .iter()
        .filter(|endpoint| serves(endpoint))
        .filter_map(|endpoint| Some(endpoint.name.as_ref()?.text.as_str()))
        .collect();
    let example =
        if what == "signal" { "ws \"127.0.0.1:8091\"" } else { "http \"127.0.0.1:8090\"" };
    let judge = |name: &Name| {
        let bearer = server
            .endpoints
            .iter()
            .find(|endpoint| endpoint.name.as_ref().is_some_and(|other| other.text == name.text));
        let message = match bearer {
            Some(endpoint) if serves(endpoint) => return None,
            Some(endpoint) => format!(
                "endpoint `{}` speaks `{}`, which serves no {what}s",
                name.text, endpoint.protocol
            ),
            // It may be one that was not understood.
            None if server.incomplete => return None,
            None => format!("unknown endpoint `{}`", name.text),
        };
        let help = match names.is_empty() {
            true => format!("give one a name, as in `endpoint name {example};`, and choose that"),
            false => help_with_choices(&name.text, &names, &format!("endpoints for {what}s are")),
        };
        Some(Diagnostic::new(Code::UnknownEndpoint, name.place, message, help))
    };
    chosen.iter().filter_map(judge).collect()
}
