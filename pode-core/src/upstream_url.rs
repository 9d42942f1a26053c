//! The addresses of upstreams: WebSocket URLs (RFC 6455, section 3).

use std::fmt;
use std::str::FromStr;

use crate::origin::Authority;

/// Where an upstream is: `wss://feed.example/prices?level=2`.
///
/// It has a scheme, `ws` or `wss`; a host, and a port unless it is the scheme's
/// default; a path and a query. It has no user, since a handshake can't send
/// one, and no fragment.
///
/// ```
/// # use pode_core::UpstreamUrl;
///
/// let url: UpstreamUrl = "wss://Feed.example/prices?key=5".parse().unwrap();
/// assert_eq!((url.host(), url.port()), ("feed.example", 443));
/// assert_eq!(url.as_str(), "wss://feed.example/prices?key=5");
/// // What is behind the `?` may be a secret.
/// assert_eq!(url.to_string(), "wss://feed.example/prices");
/// assert!("https://feed.example".parse::<UpstreamUrl>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    secure: bool,
    authority: Authority,
    /// The whole URL, for the handshake.
    url: String,
}

impl UpstreamUrl {
    /// Returns the whole URL, with its query.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Tells whether the connection uses TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the host in lower case; an IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// Returns the port, which is 80 or 443 unless one is named.
    pub fn port(&self) -> u16 {
        let of_scheme = if self.secure { 443 } else { 80 };
        self.authority.port().unwrap_or(of_scheme)
    }
}

impl FromStr for UpstreamUrl {
    type Err = UpstreamUrlError;

    fn from_str(written: &str) -> Result<UpstreamUrl, UpstreamUrlError> {
        let error = |kind| UpstreamUrlError { written: written.to_owned(), kind };
        let (scheme, rest) = written.split_once("://").ok_or(error(Kind::Scheme))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            "http" | "https" => return Err(error(Kind::HttpScheme)),
            _ => return Err(error(Kind::Scheme)),
        };
        if rest.contains('#') {
            return Err(error(Kind::Fragment));
        }
        let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(error(Kind::User));
        }
        if authority.is_empty() || authority.starts_with(':') {
            return Err(error(Kind::NoHost));
        }
        let authority: Authority = authority.parse().map_err(|()| error(Kind::Authority))?;
        if authority.port() == Some(0) {
            return Err(error(Kind::Authority));
        }
        // The other characters are those of RFC 3986, and some that are often
        // used.
        let is_left_out = |byte| !matches!(byte, b'!'..=b'~') || b"\"<>\\^`{}".contains(&byte);
        if resource.bytes().any(is_left_out) {
            return Err(error(Kind::Character));
        }
        let scheme = if secure { "wss" } else { "ws" };
        let slash = if resource.starts_with('/') { "" } else { "/" };
        Ok(UpstreamUrl {
            secure,
            url: format!("{scheme}://{authority}{slash}{resource}"),
            authority,
        })
    }
}

/// As the log shows it: without the query, which may hold a secret.
impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.split('?').next().unwrap_or_default())
    }
}

/// Why a text is not the URL of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL `{}` {kind}", self.shown())]
pub struct UpstreamUrlError {
    written: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scheme,
    HttpScheme,
    NoHost,
    Authority,
    User,
    Fragment,
    Character,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Scheme => "doesn't begin with `ws://` or `wss://`",
            Kind::HttpScheme => "is no WebSocket's",
            Kind::NoHost => "has no host",
            Kind::Authority => "has no host and port that can be connected to",
            Kind::User => "names a user, which a WebSocket handshake has no place for",
            Kind::Fragment => "has a fragment, which a WebSocket's may not have",
            Kind::Character => "holds a character that no URL has",
        })
    }
}

impl UpstreamUrlError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        let (scheme, rest) = self.written.split_once("://").unwrap_or(("", &self.written));
        let rest = rest.split('?').next().unwrap_or_default();
        let secure = if scheme.eq_ignore_ascii_case("http") { "ws" } else { "wss" };
        match self.kind {
            Kind::HttpScheme => format!("did you mean `{secure}://{rest}`?"),
            Kind::Scheme if !scheme.is_empty() => "write `wss://`, or `ws://` without TLS".into(),
            Kind::Scheme if format!("wss://{rest}").parse::<UpstreamUrl>().is_ok() => {
                format!("write `wss://{rest}`, or `ws://{rest}` without TLS")
            }
            Kind::Scheme | Kind::NoHost => "write it like `wss://feed.example/prices`".into(),
            Kind::Authority => {
                "write a name like `feed.example`, or an IP address, and a port up to 65535".into()
            }
            Kind::User => "remove what stands before the `@`".into(),
            Kind::Fragment => "remove the `#` and what follows, or write `%23` for a `#`".into(),
            Kind::Character => "write it percent-encoded, as in `%20` for a space".into(),
        }
    }

    /// Returns the part of it that may be shown: neither a query nor a user,
    /// which may be secrets.
    fn shown(&self) -> String {
        let shown = self.written.split('?').next().unwrap_or_default();
        match (shown.find("://"), shown.find('@')) {
            (Some(scheme), Some(at)) if scheme < at => {
                format!("{}…{}", &shown[..scheme + "://".len()], &shown[at..])
            }
            _ => shown.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: &str) {
        let found = match written.parse::<UpstreamUrl>() {
            Ok(url) => url.url,
            Err(error) => format!("{error}; {}", error.help()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn urls_are_scheme_host_port_path_and_query() {
        check("ws://localhost", "ws://localhost/");
        check("WSS://Feed.example:8443/Prices?a=B|c", "wss://feed.example:8443/Prices?a=B|c");
        check("wss://feed.example?a=/", "wss://feed.example/?a=/");
        check("ws://[::0:1]:8091/", "ws://[::1]:8091/");
        check("ws://127.0.0.1:8091/%20", "ws://127.0.0.1:8091/%20");
    }

    #[test]
    fn ports_are_those_of_the_scheme_unless_named() {
        let port = |written: &str| written.parse::<UpstreamUrl>().unwrap().port();
        assert_eq!(port("ws://a"), 80);
        assert_eq!(port("wss://a"), 443);
        assert_eq!(port("wss://a:80"), 80);
    }

    #[test]
    fn mistakes_are_named_with_what_to_write() {
        let known =
            "the URL `https://a.example/b` is no WebSocket's; did you mean `wss://a.example/b`?";
        check("https://a.example/b", known);
        check("http://a", "the URL `http://a` is no WebSocket's; did you mean `ws://a`?");
        let scheme = "doesn't begin with `ws://` or `wss://`";
        let help = "write `wss://a.example/b`, or `ws://a.example/b` without TLS";
        check("a.example/b", &format!("the URL `a.example/b` {scheme}; {help}"));
        let help = "write it like `wss://feed.example/prices`";
        check("", &format!("the URL `` {scheme}; {help}"));
        let help = "write `wss://`, or `ws://` without TLS";
        check("wsss://a", &format!("the URL `wsss://a` {scheme}; {help}"));
        let help = "write it like `wss://feed.example/prices`";
        check("wss://", &format!("the URL `wss://` has no host; {help}"));
        check("wss://:443/a", &format!("the URL `wss://:443/a` has no host; {help}"));
        check(
            "ws://a#b",
            "the URL `ws://a#b` has a fragment, which a WebSocket's may not have; \
             remove the `#` and what follows, or write `%23` for a `#`",
        );
        check(
            "ws://me:secret@a/b",
            "the URL `ws://…@a/b` names a user, which a WebSocket handshake has no place for; \
             remove what stands before the `@`",
        );
        for written in ["ws://a:0", "ws://a:65536", "ws://a b", "ws://a:1:2", "ws://größe.example"]
        {
            let error = written.parse::<UpstreamUrl>().unwrap_err();
            assert_eq!(error.kind, Kind::Authority, "{written}");
        }
        for written in ["ws://a/b c", "ws://a/?{}", "ws://a/\n", "ws://a/größe"] {
            let error = written.parse::<UpstreamUrl>().unwrap_err();
            assert_eq!(error.kind, Kind::Character, "{written}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let url: UpstreamUrl = "wss://a/b?secret".parse().unwrap();
        assert_eq!(url.to_string(), "wss://a/b");
        for written in ["https://a/b?secret", "wss://secret@a", "ws:a?secret", "ws://a b?secret"] {
            let error = written.parse::<UpstreamUrl>().unwrap_err();
            let said = format!("{error}; {}", error.help());
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
