//! The target of an address in a page.

use crate::check::site::At;
use crate::page::{self, UNKNOWN};

/// Returns the address that a WebSocket connects to: `new WebSocket` takes `http`
/// for `ws` (WHATWG WebSockets, section 3.1).
pub(super) fn of_socket(at: At<'_>) -> At<'_> {
    let of_socket = |scheme| match scheme {
        "http" => "ws",
        "https" => "wss",
        other => other,
    };
    match at {
        At::Own { scheme } => At::Own { scheme: scheme.map(of_socket) },
        At::Port { scheme, port } => At::Port { scheme: scheme.map(of_socket), port },
    }
}

/// The target of an address, without query and fragment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'address> {
    /// The page itself.
    Own,
    /// A path relative to the page.
    Relative(&'address str),
    /// A path of a server on this machine.
    Absolute { at: At<'address>, path: &'address str },
}

impl<'address> Target<'address> {
    /// `None` if it leads to another server, or is known only at run time.
    pub(super) fn of(address: &'address str) -> Option<Target<'address>> {
        let whole = address.split(['?', '#']).next().unwrap_or_default();
        if whole.is_empty() {
            return (!address.starts_with('#')).then_some(Target::Own);
        }
        let (scheme, rest) = match whole.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, whole),
        };
        // In `${location.protocol}//…`, the colon is in the unknown part.
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
                Some(Target::Absolute { at: At::OWN, path: rest })
            }
            (None, None) => Some(Target::Relative(rest)),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Splits the text after `//` into the server and the path.
fn authority<'address>(
    scheme: Option<&'address str>,
    rest: &'address str,
) -> Option<(At<'address>, &'address str)> {
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    if authority.chars().eq([page::HOST]) {
        return Some((At::Own { scheme }, path));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, if matches!(scheme, Some("https" | "wss")) { 443 } else { 80 }),
    };
    let is_here = host.chars().eq([page::HOSTNAME])
        || matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0");
    is_here.then_some((At::Port { scheme, port }, path))
}

/// Resolves a path relative to a page's into segments, as RFC 3986, section
/// 5.2.4, defines.
pub(in crate::check) fn resolve(page: &[String], path: &str) -> Vec<String> {
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
    // A trailing slash makes no other path.
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
        let own = |path| Some(Target::Absolute { at: At::OWN, path });
        let port =
            |scheme, port, path| Some(Target::Absolute { at: At::Port { scheme, port }, path });
        assert_eq!(Target::of("/a?b#c"), own("/a"));
        assert_eq!(Target::of("a/b"), Some(Target::Relative("a/b")));
        assert_eq!(Target::of(""), Some(Target::Own));
        assert_eq!(Target::of("?page=2"), Some(Target::Own));
        let plain = At::Own { scheme: Some("ws") };
        let target = Some(Target::Absolute { at: plain, path: "/a" });
        assert_eq!(Target::of("ws://\u{e000}/a"), target);
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
