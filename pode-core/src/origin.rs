//! Origins: where a page comes from, as browsers report (RFC 6454).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Where a page comes from: `https://example.com`, `http://localhost:8090`, or
/// in an app or a browser's extension `tauri://localhost`.
///
/// Case makes no difference, nor does the default port of `http` or `https`.
///
/// ```
/// # use pode_core::Origin;
///
/// let origin: Origin = "https://Example.com:443".parse().unwrap();
/// assert_eq!(origin.to_string(), "https://example.com");
/// assert!("https://example.com/shop".parse::<Origin>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// In lower case.
    scheme: String,
    authority: Authority,
}

/// A host, and a port if one is named: the content of a `Host` header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// In lower case, or an address in its shortest form, without brackets.
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Returns the port; if none is named, it is that of the scheme, as far as it
    /// has one: 80 or 443.
    pub fn port(&self) -> Option<u16> {
        self.authority.port.or(default_port(&self.scheme))
    }

    /// Tells whether its pages come by TLS.
    pub fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// Tells whether a page of this origin and a server that is reached by
    /// `authority` are on the same host. All loopback names are the same:
    /// `localhost`, 127.0.0.1, `[::1]`. Pages of apps and extensions are on none.
    pub fn is_on_host(&self, authority: &Authority) -> bool {
        let (mine, theirs) = (&self.authority, authority);
        default_port(&self.scheme).is_some()
            && (mine.host == theirs.host || mine.is_loopback() && theirs.is_loopback())
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Returns whether this is a scheme (RFC 3986, section 3.1), in lower case.
fn is_scheme(written: &str) -> bool {
    let is_part = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.');
    written.starts_with(|first: char| first.is_ascii_lowercase()) && written.bytes().all(is_part)
}

impl Authority {
    /// Returns the host in lower case; an IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, if one is named.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Tells whether it is `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        let ip = self.host.parse::<IpAddr>();
        self.host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(written: &str) -> Result<Origin, OriginError> {
        let error = |kind| OriginError { written: written.to_owned(), kind };
        let (scheme, rest) = written.split_once("://").unwrap_or(("", written));
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" || written.eq_ignore_ascii_case("null") {
            return Err(error(Kind::Nowhere));
        }
        // A WebSocket has such a URL, no page.
        if !is_scheme(&scheme) || scheme == "ws" || scheme == "wss" {
            return Err(error(Kind::Scheme));
        }
        if rest.ends_with(':') {
            return Err(error(Kind::Authority));
        }
        if rest.contains(['/', '?', '#']) {
            return Err(error(Kind::Path));
        }
        let mut authority: Authority = rest.parse().map_err(|()| error(Kind::Authority))?;
        authority.port.take_if(|port| Some(*port) == default_port(&scheme));
        Ok(Origin { scheme, authority })
    }
}

impl FromStr for Authority {
    type Err = ();

    /// Parses `host` or `host:port`.
    fn from_str(written: &str) -> Result<Authority, ()> {
        let (host, rest) = match written.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']').ok_or(())?;
                (address.parse::<Ipv6Addr>().map_err(drop)?.to_string(), rest)
            }
            None => {
                let end = written.find(':').unwrap_or(written.len());
                let (host, rest) = written.split_at(end);
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                if host.is_empty() || !host.bytes().all(is_part) {
                    return Err(());
                }
                (host.to_ascii_lowercase(), rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            // An empty port is none (RFC 3986, section 3.2.3).
            Some("") => None,
            // The number parser would accept a sign.
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(port.parse().map_err(drop)?)
            }
            None if rest.is_empty() => None,
            _ => return Err(()),
        };
        Ok(Authority { host, port })
    }
}

/// As browsers send it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only IPv6 addresses have colons.
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Why a text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("origin `{written}` {kind}")]
pub struct OriginError {
    written: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nowhere,
    Scheme,
    Path,
    Authority,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Nowhere => "is that of all files and all pages in a sandbox, whoever made them",
            Kind::Scheme => "doesn't begin with the scheme of a page, such as `https://`",
            Kind::Path => "goes on behind the host",
            Kind::Authority => "has no host and port that a browser could send",
        })
    }
}

impl OriginError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        let (scheme, rest) = self.written.split_once("://").unwrap_or(("", &self.written));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let scheme = match &*scheme.to_ascii_lowercase() {
            "ws" => "http".to_owned(),
            scheme if is_scheme(scheme) && scheme != "wss" => scheme.to_owned(),
            _ => "https".to_owned(),
        };
        match self.kind {
            Kind::Nowhere => {
                "let a server send the page, or let in all pages: `AnyPage`".to_owned()
            }
            Kind::Scheme | Kind::Path if host.parse::<Authority>().is_ok() => {
                format!("write `{scheme}://{host}`, as a browser sends it")
            }
            _ if host.contains('*') => {
                "list each origin by itself, or let in all pages: `AnyPage`".to_owned()
            }
            _ => "write it as a browser sends it: `https://example.com`, `http://localhost:8090`"
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: Option<&str>) {
        let found = written.parse::<Origin>().map(|origin| origin.to_string());
        assert_eq!(found.ok().as_deref(), expected, "{written}");
    }

    #[test]
    fn origins_are_scheme_host_and_port() {
        check("http://localhost:8090", Some("http://localhost:8090"));
        check("HTTPS://Example.COM:443", Some("https://example.com"));
        check("https://example.com:80", Some("https://example.com:80"));
        check("http://[::0:1]:80", Some("http://[::1]"));
        check("http://a_b.c-d", Some("http://a_b.c-d"));
    }

    #[test]
    fn pages_of_apps_and_extensions_have_schemes_of_their_own() {
        for origin in [
            "capacitor://localhost",
            "tauri://localhost",
            "app://.",
            "chrome-extension://kcgalnhgjkmlbopoojnmmpgofdenbhdb",
            "moz-extension://1c4f0e0b-6f0c-4d2f-9a3e-5b9c6f6a7d11",
            "app://localhost:80",
        ] {
            check(origin, Some(origin));
            let origin: Origin = origin.parse().unwrap();
            assert!(!origin.is_on_host(&"localhost".parse().unwrap()), "{origin}");
        }
        check("Safari-Web-Extension://0A1B", Some("safari-web-extension://0a1b"));
    }

    #[test]
    fn nothing_else_is_one() {
        for written in [
            "",
            "null",
            "file://",
            "example.com",
            "ws://example.com",
            "1app://example.com",
            "a_b://example.com",
            "app://",
            "app://a/",
            "//example.com",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:b",
            "http://a:+1",
            "http://a:65536",
            "http://a:1:2",
            "http://a/",
            "http://a?",
            "http://user@a",
            "http://a b",
            "http://::1",
            "http://[::1",
            "http://[::1]a",
            "http://[a]",
            "http://ä.example",
        ] {
            check(written, None);
        }
    }

    #[test]
    fn hosts_are_compared_as_a_whole() {
        let is_on = |origin: &str, authority: &str| {
            let authority = authority.parse().expect("a host");
            origin.parse::<Origin>().expect("an origin").is_on_host(&authority)
        };
        assert!(is_on("https://example.com", "Example.com:8443"));
        assert!(is_on("http://localhost:8090", "127.0.0.1:8091"));
        assert!(is_on("http://[::1]", "localhost"));
        assert!(!is_on("https://example.com.evil.net", "example.com"));
        assert!(!is_on("https://evilexample.com", "example.com"));
        assert!(!is_on("https://www.example.com", "example.com"));
        assert!(!is_on("http://localhost.evil.net", "127.0.0.1"));
        assert!(!is_on("http://127.0.0.1.evil.net", "127.0.0.1"));
    }

    #[test]
    fn help_is_what_to_write() {
        let help = |written: &str| written.parse::<Origin>().unwrap_err().help();
        assert_eq!(help("example.com"), "write `https://example.com`, as a browser sends it");
        assert_eq!(help("wss://example.com"), "write `https://example.com`, as a browser sends it");
        assert_eq!(help("http://a:1/b"), "write `http://a:1`, as a browser sends it");
        assert_eq!(help("ws://a:1"), "write `http://a:1`, as a browser sends it");
        assert_eq!(help("App://./index.html"), "write `app://.`, as a browser sends it");
        assert!(help("http://a:b").starts_with("write it as"));
        assert!(help("https://*.example.com").starts_with("list each origin"));
        for nowhere in ["null", "file://", "file:///C:/index.html"] {
            assert!(help(nowhere).ends_with("`AnyPage`"));
        }
    }
}
