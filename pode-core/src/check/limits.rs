//! Limits: each must apply to its declaration, and stand once for each
//! connection.

use super::{Code, Diagnostic};
use crate::model::{Endpoint, Name, Route, Server, Source};

/// The limits of whole bodies, of bodies in parts, and of both.
const WHOLE: &str = "max_body_bytes";
const IN_PARTS: &str = "max_upload_bytes";
const BODIES: [&str; 2] = ["body_timeout", "min_bytes_per_second"];

/// The pace of bodies is also that of responses.
const PACE: &str = "min_bytes_per_second";

/// The limit of handshakes, which only TLS has.
const TLS: &str = "tls_timeout";

/// The limits of connections, which have no route yet.
const CONNECTIONS: [&str; 7] = [
    "max_connections",
    "max_connections_per_address",
    TLS,
    "head_timeout",
    "max_head_bytes",
    "keep_alive_timeout",
    "write_timeout",
];

/// Tells whether `Limits` have a field of this name.
pub fn is_limit(name: &str) -> bool {
    [WHOLE, IN_PARTS].contains(&name) || BODIES.contains(&name) || CONNECTIONS.contains(&name)
}

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, endpoint) in server.endpoints.iter().enumerate() {
        found.extend(endpoint.limits.iter().filter_map(|limit| not_of_endpoint(endpoint, limit)));
        for earlier in &server.endpoints[..index] {
            if earlier.head.meets(&endpoint.head) {
                found.extend(named_twice(earlier, endpoint));
            }
        }
    }
    for route in &server.routes {
        found.extend(route.limits.iter().filter_map(|limit| not_of_route(route, limit)));
    }
}

fn not_of_endpoint(endpoint: &Endpoint, limit: &Name) -> Option<Diagnostic> {
    let (protocol, name) = (endpoint.protocol, limit.text.as_str());
    let is_of_bodies =
        name != PACE && (BODIES.contains(&name) || [WHOLE, IN_PARTS].contains(&name));
    let (what, help) = if is_of_bodies && protocol.serves_signals() {
        let help = "remove it; messages have their limits at the signal: `max_message_bytes`";
        ("requests with a body", help.to_owned())
    } else if name == TLS && !protocol.is_secure() {
        ("TLS handshakes", format!("remove it, or write `{protocol}s`"))
    } else {
        return None;
    };
    let article = if protocol.serves_signals() { "a" } else { "an" };
    let message = format!("`{name}` limits nothing: {article} `{protocol}` endpoint has no {what}");
    Some(Diagnostic::new(Code::LimitElsewhere, limit.place, message, help))
}

fn not_of_route(route: &Route, limit: &Name) -> Option<Diagnostic> {
    let name = limit.text.as_str();
    let takes = |such: fn(Source) -> bool| route.arguments.iter().any(|it| such(it.source));
    let (why, help) = if CONNECTIONS.contains(&name) {
        let why = "a connection has its limits before its routes are known";
        (why, "name it at the endpoint or at the server")
    } else if (name == WHOLE || BODIES.contains(&name)) && !takes(Source::is_body) {
        (
            "this route takes no body",
            "remove it, or take `form`, `json`, `data`, `body` or `multipart`",
        )
    } else if name == WHOLE && takes(|source| source == Source::Multipart) {
        ("this route takes its body in parts", "did you mean `max_upload_bytes`?")
    } else if name == IN_PARTS && !takes(|source| source == Source::Multipart) {
        ("this route takes no body in parts", "did you mean `max_body_bytes`?")
    } else {
        return None;
    };
    let message = format!("`{name}` limits nothing: {why}");
    Some(Diagnostic::new(Code::LimitElsewhere, limit.place, message, help))
}

/// Endpoints that share an address share their connections.
fn named_twice(earlier: &Endpoint, later: &Endpoint) -> Option<Diagnostic> {
    let shared =
        earlier.bind?.same(&later.bind?) && earlier.protocol.shares_address_with(later.protocol);
    let (first, second) = later.limits.iter().find_map(|second| {
        let first = earlier.limits.iter().find(|first| shared && first.text == second.text)?;
        Some((first, second))
    })?;
    let (one, other) = (earlier.protocol, later.protocol);
    let message =
        format!("`{one}` and `{other}` share their connections, and both name `{}`", second.text);
    let help = "name it at one of them; it counts for both";
    Some(
        Diagnostic::new(Code::LimitTwice, second.place, message, help)
            .other(first.place, "the other"),
    )
}
