//! Routes: which requests they answer, and whether those reach them.

use super::endpoints::unknown_names;
use super::{Code, Diagnostic};
use crate::method::Method;
use crate::model::{Route, Server};
use crate::route_path::{Overlap, Segment};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    found.extend(no_endpoint(server));
    for (index, route) in server.routes.iter().enumerate() {
        for earlier in &server.routes[..index] {
            found.extend(take_the_same(earlier, route));
        }
        found.extend(unreachable(server, route));
        found.extend(other_names(&server.routes[..index], route));
        found.extend(unknown_names(server, &route.endpoints, "route", |endpoint| {
            !endpoint.protocol.serves_signals()
        }));
    }
}

/// Several routes without an endpoint are one mistake, reported at the first;
/// so are files and filters.
fn no_endpoint(server: &Server) -> Option<Diagnostic> {
    let routes = server.routes.iter().map(|route| (&route.head, "routes need"));
    let mounts = server.mounts.iter().map(|mount| (&mount.head, "mounted filters need"));
    let publics = server.publics.iter().map(|public| (&public.head, "public files need"));
    let (head, need) = routes.chain(mounts).chain(publics).next()?;
    let served = server.endpoints.iter().any(|endpoint| !endpoint.protocol.serves_signals());
    (!served && !server.incomplete).then(|| {
        let message = format!("{need} an `http` or `https` endpoint");
        let help = "add `endpoint http \"127.0.0.1:8090\";`";
        Diagnostic::new(Code::NoRouteEndpoint, head.noun, message, help)
    })
}

fn take_the_same(earlier: &Route, later: &Route) -> Option<Diagnostic> {
    let shared = later.methods().find(|method| earlier.methods().any(|other| other == *method));
    // A GET route also answers HEAD, unless there is a HEAD route of its path.
    let asks = |route: &Route, wanted| route.methods().any(|method| method == wanted);
    let head = (asks(earlier, Method::Head) && asks(later, Method::Get))
        || (asks(earlier, Method::Get) && asks(later, Method::Head));
    let by_head = head.then_some(Method::Head);
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
    let place = later.path_place;
    match earlier.path.overlap(&later.path) {
        Overlap::Same => {
            let method = shared?;
            let alike = match earlier.path == later.path {
                true => String::new(),
                false => format!(", as `{}`", earlier.path),
            };
            let message = format!("route `{method} {}` is declared twice{alike}", later.path);
            let help = "remove one, or give one an `endpoint:` option";
            Some(
                Diagnostic::new(Code::RouteTwice, place, message, help)
                    .other(earlier.path_place, "first declared here"),
            )
        }
        Overlap::Crossing => {
            let method = shared.or(by_head)?;
            let message = format!(
                "`{method} {}` and `{method} {}` take some requests both, and neither is the more specific",
                earlier.path, later.path
            );
            let help = "give them different fixed parts, or one more route for what both take";
            Some(
                Diagnostic::new(Code::RoutesCross, place, message, help)
                    .other(earlier.path_place, "the other route"),
            )
        }
        Overlap::None | Overlap::Inside => None,
    }
}

/// Finds a route for all endpoints that loses at each of them to a route that
/// chose the endpoint.
fn unreachable(server: &Server, route: &Route) -> Option<Diagnostic> {
    let endpoints = server.endpoints.iter().filter(|endpoint| !endpoint.protocol.serves_signals());
    if !route.endpoints.is_empty() {
        return None;
    }
    let mut winner = None;
    for endpoint in endpoints {
        let name = endpoint.name.as_ref()?;
        for method in route.methods() {
            winner = Some(server.routes.iter().find(|other| {
                other.endpoints.iter().any(|chosen| chosen.text == name.text)
                    && other.methods().any(|others| others == method)
                    && other.path.overlap(&route.path) == Overlap::Same
                    && other.head.meets(&route.head)
                    && endpoint.head.meets(&route.head)
            })?);
        }
    }
    winner.map(|winner| {
        let message = format!("no request reaches `{}`", route.title());
        let help = "every endpoint is chosen by another route of this path; remove one of them";
        Diagnostic::new(Code::Unreachable, route.path_place, message, help)
            .other(winner.path_place, "this route wins at its endpoint")
    })
}

/// Advice: one parameter of the route table should have one name.
fn other_names(earlier: &[Route], route: &Route) -> Option<Diagnostic> {
    let (other, (name, first)) = earlier
        .iter()
        .filter(|other| other.head.meets(&route.head))
        .find_map(|other| Some((other, other_name(other, route)?)))?;
    // Equal requests with the same method are a separate mistake.
    let same = other.path.overlap(&route.path) == Overlap::Same;
    if same && route.methods().any(|method| other.methods().any(|others| others == method)) {
        return None;
    }
    let message = format!("`{}` calls `{name}` what `{}` calls `{first}`", route.path, other.path);
    let help = "use one name in both";
    Some(Diagnostic::new(Code::ParameterNames, route.path_place, message, help))
}

/// Returns the route's name and the other's for the first parameter that they
/// name differently after a common beginning.
fn other_name<'server>(
    other: &'server Route,
    route: &'server Route,
) -> Option<(&'server str, &'server str)> {
    for (first, second) in other.path.segments().iter().zip(route.path.segments()) {
        match (first, second) {
            (Segment::Literal(first), Segment::Literal(second)) if first == second => {}
            (Segment::Parameter(first), Segment::Parameter(second)) if first == second => {}
            (Segment::Parameter(first), Segment::Parameter(second)) => {
                return Some((second, first));
            }
            _ => return None,
        }
    }
    None
}
