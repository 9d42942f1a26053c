//! Which origins' pages may connect to signals and send requests that change
//! something.
//!
//! A page may open a WebSocket to any server, or send it a form, and the browser
//! sends its visitor's cookies along. So a server has to check the origin of the
//! page, which browsers send in the `Origin` header (RFC 6455, section 10.2).

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use pode_core::Origin;
use pode_core::origin::{Authority, OriginError};

use crate::base::log::ration::{Quoted, rationed};
use crate::http::forwarded::Forwarded;

/// The pages that may connect to a signal, or send what changes something to a
/// route: any request but GET, HEAD and OPTIONS. Programs other than browsers
/// send no `Origin` and may always do so.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::{Origins, pages_of};
///
/// let origins = pages_of(["https://shop.example"]);
/// assert_ne!(origins, Origins::OwnPages);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Pages of the host name that the client connects to, at the same port or
    /// at one of this server's endpoints. Over TLS they are `https` pages. All
    /// loopback names are one host: `localhost`, 127.0.0.1, `[::1]`.
    #[default]
    OwnPages,

    /// Own pages, and those of these origins.
    PagesOf(Vec<String>),

    /// Any page of any origin: for signals that hold nothing private, and
    /// routes that know their visitors by more than cookies.
    AnyPage,
}

/// Makes [`Origins::PagesOf`]. Each origin is written as a browser sends it,
/// such as `https://shop.example`, `http://localhost:5173`, or that of an app or
/// an extension: `tauri://localhost`.
pub fn pages_of(origins: impl IntoIterator<Item = impl Into<String>>) -> Origins {
    Origins::PagesOf(origins.into_iter().map(Into::into).collect())
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Logs a refusal with the headers that it is due to. `null`, the origin of files
/// and pages in a sandbox, can't be listed.
macro_rules! refusal {
    ($headers:ident, $refused:literal, $place:literal) => {
        let quoted = |name| Quoted($headers.get(name).map_or(b"", HeaderValue::as_bytes));
        let origin = quoted(header::ORIGIN);
        let option = if origin.0 == b"null" { "AnyPage" } else { "pages_of([…])" };
        rationed!(
            info,
            ?origin,
            host = ?quoted(header::HOST),
            "a page of another origin may not {} (over TLS, own pages are `https` pages); \
             `origins: {option}` at the {} would let it",
            $refused,
            $place,
        );
    };
}

/// Decides which pages may connect and send.
#[derive(Clone, Debug)]
pub(crate) struct OriginPolicy {
    /// The origins of other pages; `None` means that any page may connect.
    origins: Option<Arc<[Origin]>>,
    /// The ports of this server's endpoints.
    ports: Arc<[u16]>,
    /// Whether requests come by TLS. Without it, a proxy may have had it.
    is_secure: bool,
}

impl OriginPolicy {
    /// # Errors
    ///
    /// One of the origins is invalid.
    pub(crate) fn new(
        origins: &Origins,
        ports: Arc<[u16]>,
        is_secure: bool,
    ) -> Result<OriginPolicy, OriginError> {
        let origins = match origins {
            Origins::OwnPages => Some(Arc::default()),
            Origins::PagesOf(origins) => {
                Some(origins.iter().map(|origin| origin.parse()).collect::<Result<_, _>>()?)
            }
            Origins::AnyPage => None,
        };
        Ok(OriginPolicy { origins, ports, is_secure })
    }

    /// Returns whether a client that sends these headers may connect; `forwarded`
    /// is what a trusted proxy says of it. A refusal is logged, since browsers
    /// don't show the reason.
    pub(crate) fn admits(&self, headers: &HeaderMap, forwarded: Option<&Forwarded>) -> bool {
        let admits = self.is_admitted(headers, forwarded);
        if !admits {
            refusal!(headers, "connect", "signal");
        }
        admits
    }

    /// Returns whether a client may send a request with these headers that
    /// changes something. A refusal is logged.
    pub(crate) fn admits_change(&self, headers: &HeaderMap, forwarded: Option<&Forwarded>) -> bool {
        // Browsers send it to hosts they trust, and pages can't set it. It is
        // right where a page hides its origin, too.
        let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
        let admits = match site {
            Some(b"same-origin" | b"none") => true,
            Some(_) if !headers.contains_key(header::ORIGIN) => self.origins.is_none(),
            _ => self.is_admitted(headers, forwarded),
        };
        if !admits {
            refusal!(headers, "send this", "route");
        }
        admits
    }

    fn is_admitted(&self, headers: &HeaderMap, forwarded: Option<&Forwarded>) -> bool {
        let Some(origins) = &self.origins else { return true };
        let mut named = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = named.next() else { return true };
        // Files, and pages that hide their origin, send `null`.
        let Some(origin) = origin.to_str().ok().and_then(|origin| origin.parse().ok()) else {
            return false;
        };
        named.next().is_none()
            && (self.is_own(&origin, headers, forwarded) || origins.contains(&origin))
    }

    fn is_own(&self, origin: &Origin, headers: &HeaderMap, forwarded: Option<&Forwarded>) -> bool {
        let is_secure = forwarded.and_then(|forwarded| forwarded.is_secure);
        let is_secure = is_secure.unwrap_or(self.is_secure);
        let host = || headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = forwarded.and_then(|forwarded| forwarded.host.as_deref()).or_else(host);
        let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else {
            return false;
        };
        let Some(port) = origin.port().filter(|_| origin.is_on_host(&host)) else {
            return false;
        };
        // Without a port it is the scheme's own, which only a proxy may know.
        let same_port = match host.port() {
            Some(named) => named == port,
            None => matches!(port, 80 | 443),
        };
        (origin.is_secure() || !is_secure) && (same_port || self.ports.contains(&port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a page of the origin may connect to the host.
    fn admits(origins: &Origins, origin: &str, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        OriginPolicy::new(origins, [8090, 8091].into(), false).unwrap().admits(&headers, None)
    }

    #[test]
    fn what_changes_something_is_taken_from_own_pages_and_programs() {
        let policy = |origins: &Origins| OriginPolicy::new(origins, [8090].into(), false).unwrap();
        let own_pages = policy(&Origins::OwnPages);
        let friends = policy(&pages_of(["https://friend.example"]));
        let any_page = policy(&Origins::AnyPage);
        let (own, friend, strange) =
            ("http://localhost:8090", "https://friend.example", "https://evil.example");
        for (origin, site, by_own, by_friends) in [
            // Programs, and browsers that say no more than the origin.
            (None, None, true, true),
            (Some(own), None, true, true),
            (Some(friend), None, false, true),
            (Some(strange), None, false, false),
            (Some("null"), None, false, false),
            // Browsers that say both.
            (Some(own), Some("same-origin"), true, true),
            (Some(own), Some("cross-site"), true, true),
            (Some(friend), Some("cross-site"), false, true),
            (Some(strange), Some("same-site"), false, false),
            (Some(strange), Some("cross-site"), false, false),
            (Some("null"), Some("cross-site"), false, false),
            // An own page that hides where it is, and what a visitor enters.
            (Some("null"), Some("same-origin"), true, true),
            (None, Some("none"), true, true),
            (None, Some("cross-site"), false, false),
            (None, Some("nonsense"), false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "localhost:8090".parse().unwrap());
            for (name, value) in [(header::ORIGIN, origin), (FETCH_SITE, site)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            let found =
                [&own_pages, &friends, &any_page].map(|it| it.admits_change(&headers, None));
            assert_eq!(found, [by_own, by_friends, true], "{origin:?} {site:?}");
        }
    }

    #[test]
    fn over_tls_own_pages_are_secure() {
        let policy = OriginPolicy::new(&Origins::OwnPages, [443, 80].into(), true).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "shop.example".parse().unwrap());
        for (origin, admitted) in [("https://shop.example", true), ("http://shop.example", false)] {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            assert_eq!(policy.admits(&headers, None), admitted, "{origin}");
            assert_eq!(policy.admits_change(&headers, None), admitted, "{origin}");
        }
    }

    #[test]
    fn behind_a_proxy_own_pages_are_those_that_it_serves() {
        let policy = OriginPolicy::new(&Origins::OwnPages, [8090].into(), false).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1:8090".parse().unwrap());
        let forwarded = |is_secure, host: Option<&str>| Forwarded {
            is_secure: Some(is_secure),
            host: host.map(str::to_owned),
        };
        let shop = Some("shop.example");
        for (origin, forwarded, admitted) in [
            ("https://shop.example", forwarded(true, shop), true),
            ("http://shop.example", forwarded(true, shop), false),
            ("http://shop.example", forwarded(false, shop), true),
            ("https://shop.example:8443", forwarded(true, Some("shop.example:8443")), true),
            ("https://evil.example", forwarded(true, shop), false),
            // The host that the proxy asks for is another one.
            ("http://127.0.0.1:8090", forwarded(false, shop), false),
            ("http://127.0.0.1:8090", forwarded(false, None), true),
            ("http://127.0.0.1:8090", forwarded(true, None), false),
            ("https://shop.example", forwarded(true, Some("shop.example\u{fffd}")), false),
        ] {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            let found = [
                policy.admits(&headers, Some(&forwarded)),
                policy.admits_change(&headers, Some(&forwarded)),
            ];
            assert_eq!(found, [admitted; 2], "{origin} {forwarded:?}");
        }
        // As an endpoint with TLS has it, behind a proxy without.
        let policy = OriginPolicy::new(&Origins::OwnPages, [8443].into(), true).unwrap();
        headers.insert(header::ORIGIN, "http://shop.example".parse().unwrap());
        assert!(policy.admits(&headers, Some(&forwarded(false, shop))));
    }

    #[test]
    fn own_pages_are_of_the_same_host_and_of_a_port_of_ours() {
        let own = |origin, host| admits(&Origins::OwnPages, origin, host);
        assert!(own("http://127.0.0.1:8090", "127.0.0.1:8091"));
        assert!(own("http://localhost:8090", "127.0.0.1:8091"));
        assert!(own("http://chat.example:7000", "chat.example:7000"));
        assert!(own("https://chat.example", "chat.example"));
        assert!(own("https://chat.example", "chat.example:443"));
        assert!(!own("http://127.0.0.1:3000", "127.0.0.1:8091"));
        assert!(!own("http://127.0.0.1", "127.0.0.1:8091"));
        assert!(!own("https://chat.example:8443", "chat.example"));
    }

    #[test]
    fn strangers_and_those_who_look_alike_are_refused() {
        let own = |origin| admits(&Origins::OwnPages, origin, "chat.example:8091");
        for origin in [
            "null",
            "",
            "file://",
            "http://evil.example:8090",
            "http://chat.example.evil.net:8091",
            "http://evilchat.example:8091",
            "http://chat.example:8091@evil.net",
            "http://chat.example:8091/",
            "http://chat.example:80918",
            "chat.example:8091",
            "ws://chat.example:8091",
            "app://chat.example:8091",
        ] {
            assert!(!own(origin), "{origin}");
        }
    }

    #[test]
    fn others_may_be_named() {
        let origins =
            pages_of(["https://shop.example", "http://localhost:5173", "tauri://localhost"]);
        assert!(admits(&origins, "https://shop.example", "chat.example"));
        assert!(admits(&origins, "http://localhost:5173", "localhost:8091"));
        assert!(admits(&origins, "https://chat.example", "chat.example"));
        assert!(admits(&origins, "tauri://localhost", "chat.example"));
        assert!(!admits(&origins, "capacitor://localhost", "localhost:8091"));
        assert!(!admits(&origins, "http://shop.example", "chat.example"));
        assert!(!admits(&origins, "https://shop.example:8443", "chat.example"));
        assert!(admits(&Origins::AnyPage, "null", "chat.example"));
        assert!(OriginPolicy::new(&pages_of(["shop.example"]), Arc::default(), false).is_err());
    }

    #[test]
    fn who_says_nothing_may_and_who_says_two_things_may_not() {
        let gate = OriginPolicy::new(&Origins::OwnPages, Arc::default(), false).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "a".parse().unwrap());
        assert!(gate.admits(&headers, None));
        headers.append(header::ORIGIN, "http://a".parse().unwrap());
        assert!(gate.admits(&headers, None));
        headers.append(header::ORIGIN, "http://a".parse().unwrap());
        assert!(!gate.admits(&headers, None));
    }

    #[test]
    fn an_odd_byte_lets_nobody_in() {
        let gate =
            OriginPolicy::new(&pages_of(["http://shop.example"]), Arc::default(), false).unwrap();
        for (origin, host) in [
            (&b"http://shop.example\xff"[..], &b"a"[..]),
            (b"\xff, http://shop.example", b"a"),
            (b"http://a", b"a\xff"),
            (b"http://a", b"a, \xff"),
        ] {
            let value = |bytes| header::HeaderValue::from_bytes(bytes).unwrap();
            let named = [(header::ORIGIN, value(origin)), (header::HOST, value(host))];
            assert!(!gate.admits(&HeaderMap::from_iter(named), None));
        }
    }
}
