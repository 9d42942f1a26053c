//! Origins: where a page comes from, as browsers report (RFC 6454).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Where a page comes from: `https://example.com`, `http://localhost:8090`.
///
/// Case makes no difference, nor does the scheme's default port.
///
/// ```
/// use pode_core::Origin;
///
/// let origin: Origin = "https://Example.com:443".parse().unwrap();
/// assert_eq!(origin.to_string(), "https://example.com");
/// assert!("https://example.com/shop".parse::<Origin>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
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
    /// Returns the port, which is 80 or 443 unless one is named.
    pub fn port(&self) -> u16 {
        let of_scheme = if self.secure { 443 } else { 80 };
        self.authority.port.unwrap_or(of_scheme)
    }

    /// Tells whether its pages come by TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Tells whether a page of this origin and a server that is reached by
    /// `authority` are on the same host. All loopback names are the same:
    /// `localhost`, 127.0.0.1, `[::1]`.
    pub fn is_on_host(&self, authority: &Authority) -> bool {
        let (mine, theirs) = (&self.authority, authority);
        mine.host == theirs.host || mine.is_loopback() && theirs.is_loopback()
    }
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
        let (scheme, rest) = written.split_once("://").ok_or(error(Kind::Scheme))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(error(Kind::Scheme)),
        };
        if rest.contains(['/', '?', '#']) {
            return Err(error(Kind::Path));
        }
        let mut authority: Authority = rest.parse().map_err(|()| error(Kind::Authority))?;
        let of_scheme = if secure { 443 } else { 80 };
        authority.port.take_if(|port| *port == of_scheme);
        Ok(Origin { secure, authority })
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
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
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
    Scheme,
    Path,
    Authority,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Scheme => "doesn't begin with `http://` or `https://`",
            Kind::Path => "goes on behind the host",
            Kind::Authority => "has no host and port that a browser could send",
        })
    }
}

impl OriginError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        let rest = self.written.split_once("://").map_or(&*self.written, |(_, rest)| rest);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let scheme = if self.written.starts_with("http://") { "http" } else { "https" };
        match self.kind {
            Kind::Scheme | Kind::Path if host.parse::<Authority>().is_ok() => {
                format!("write `{scheme}://{host}`, as a browser sends it")
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
    fn nothing_else_is_one() {
        for written in [
            "",
            "null",
            "file://",
            "example.com",
            "ftp://example.com",
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
        assert!(help("http://a:b").starts_with("write it as"));
    }
}
