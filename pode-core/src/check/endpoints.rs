//! Endpoints: names and addresses that get in each other's way.

use super::Diagnostic;
use super::suggestion::help_with_choices;
use crate::model::{Endpoint, Name, Server};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, later) in server.endpoints.iter().enumerate() {
        for earlier in &server.endpoints[..index] {
            if later.head.meets(&earlier.head) {
                found.extend(names_twice(earlier, later));
                found.extend(addresses_clash(earlier, later));
            }
        }
    }
}

fn names_twice(earlier: &Endpoint, later: &Endpoint) -> Option<Diagnostic> {
    let (first, second) = (earlier.name.as_ref()?, later.name.as_ref()?);
    (first.text == second.text).then(|| {
        Diagnostic::new(second.place, format!("endpoint `{}` is declared twice", second.text))
            .help("give one of them another name")
            .other(first.place, "first declared here")
    })
}

/// `http` and `ws` may share one address, and so may `https` and `wss`.
/// Everything else may not.
fn addresses_clash(earlier: &Endpoint, later: &Endpoint) -> Option<Diagnostic> {
    let (first, second) = (earlier.bind?, later.bind?);
    let clash = if first.clashes(&second) {
        Diagnostic::new(later.address_place, format!("`{second}` clashes with `{first}`")).help(
            "all interfaces include each one of them; choose another port, or one address for both",
        )
    } else if first.same(&second) && first.port != 0 && earlier.protocol == later.protocol {
        let protocol = later.protocol;
        Diagnostic::new(
            later.address_place,
            format!("two `{protocol}` endpoints listen at `{second}`"),
        )
        .help("remove one, or choose another port")
    } else if first.same(&second)
        && first.port != 0
        && earlier.protocol.is_secure() != later.protocol.is_secure()
    {
        let (first, second) = (earlier.protocol, later.protocol);
        let message = format!("`{first}` and `{second}` can't share an address");
        Diagnostic::new(later.address_place, message)
            .help("a port speaks TLS or it doesn't; choose another port")
    } else {
        return None;
    };
    Some(clash.other(earlier.address_place, "first declared here"))
}

/// Finds names in an `endpoint:` option that no endpoint bears, or whose
/// endpoint doesn't serve such a thing. `what` is "route" or "signal".
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
    let judge = |name: &Name| {
        let bearer = server
            .endpoints
            .iter()
            .find(|endpoint| endpoint.name.as_ref().is_some_and(|other| other.text == name.text));
        match bearer {
            Some(endpoint) if serves(endpoint) => None,
            Some(endpoint) => Some(Diagnostic::new(
                name.place,
                format!(
                    "endpoint `{}` speaks `{}`, which serves no {what}s",
                    name.text, endpoint.protocol
                ),
            )),
            // It may be one that was not understood.
            None if server.incomplete => None,
            None => {
                let help = if names.is_empty() {
                    format!("name an endpoint: `endpoint {} http \"127.0.0.1:8090\";`", name.text)
                } else {
                    help_with_choices(&name.text, &names, "endpoints are")
                };
                let unknown = format!("unknown endpoint `{}`", name.text);
                Some(Diagnostic::new(name.place, unknown).help(help))
            }
        }
    };
    chosen.iter().filter_map(judge).collect()
}
