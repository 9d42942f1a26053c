//! Hosts by which a server is reached.

use std::fmt;
use std::str::FromStr;

use crate::origin::Authority;

/// A host by which a server is reached: `shop.example`, `10.0.0.5`, or with
/// `*.` before it any host below it.
///
/// ```
/// # use pode_core::Host;
///
/// let host: Host = "*.Shop.example".parse().unwrap();
/// assert!(host.includes(&"www.shop.example:8090".parse().unwrap()));
/// assert!(!host.includes(&"shop.example".parse().unwrap()));
/// assert!("https://shop.example".parse::<Host>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// As in an [`Authority`]; below it if `is_parent`.
    name: String,
    is_parent: bool,
}

impl Host {
    /// Tells whether a request for `authority` is meant for this host; its port
    /// makes no difference.
    pub fn includes(&self, authority: &Authority) -> bool {
        // The root of all names may be named (RFC 3986, section 3.2.2).
        let host = authority.host().strip_suffix('.').unwrap_or(authority.host());
        match self.is_parent {
            false => host == self.name,
            true => host
                .strip_suffix(&*self.name)
                .and_then(|below| below.strip_suffix('.'))
                .is_some_and(|below| !below.is_empty()),
        }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(written: &str) -> Result<Host, HostError> {
        let error = |kind| Err(HostError { written: written.to_owned(), kind });
        if written.contains("://") {
            return error(Kind::Scheme);
        }
        let (is_parent, name) = match written.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, written),
        };
        match name.parse::<Authority>() {
            Ok(authority) if authority.port().is_some() || name.ends_with(':') => error(Kind::Port),
            Ok(authority) => {
                let name = authority.host().trim_end_matches('.').to_owned();
                Ok(Host { name, is_parent })
            }
            Err(()) => error(Kind::Name),
        }
    }
}

/// Why a text is not a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host `{written}` {kind}")]
pub struct HostError {
    written: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scheme,
    Port,
    Name,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Scheme => "has a scheme",
            Kind::Port => "has a port",
            Kind::Name => "is neither a name nor an address",
        })
    }
}

impl HostError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        let rest = self.written.split_once("://").map_or(&*self.written, |(_, rest)| rest);
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        match rest.parse::<Authority>() {
            Ok(authority) if authority.host().contains(':') => {
                format!("write `[{}]`: the host alone", authority.host())
            }
            Ok(authority) => format!("write `{}`: the host alone", authority.host()),
            Err(()) => "write it as `shop.example`, `*.shop.example` or `10.0.0.5`".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_an_address_or_all_below_a_name() {
        let includes = |host: &str, authority: &str| {
            host.parse::<Host>().unwrap().includes(&authority.parse().unwrap())
        };
        for (host, authority) in [
            ("shop.example", "shop.example"),
            ("Shop.Example", "SHOP.example:8090"),
            ("shop.example", "shop.example."),
            ("shop.example.", "shop.example"),
            ("*.shop.example", "a.b.shop.example"),
            ("10.0.0.5", "10.0.0.5:80"),
            ("shop.example", "shop.example:"),
            ("[::0:1]", "[::1]:80"),
        ] {
            assert!(includes(host, authority), "{host} {authority}");
        }
        for (host, authority) in [
            ("shop.example", "www.shop.example"),
            ("shop.example", "evil-shop.example"),
            ("shop.example", "shop.example.evil.example"),
            ("*.shop.example", "shop.example"),
            ("*.shop.example", ".shop.example"),
            ("*.shop.example", "evilshop.example"),
        ] {
            assert!(!includes(host, authority), "{host} {authority}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |written: &str| {
            let error = written.parse::<Host>().unwrap_err();
            format!("{error}; {}", error.help())
        };
        assert_eq!(
            told("https://shop.example/"),
            "host `https://shop.example/` has a scheme; write `shop.example`: the host alone"
        );
        assert_eq!(
            told("[::1]:8090"),
            "host `[::1]:8090` has a port; write `[::1]`: the host alone"
        );
        let help = "write it as `shop.example`, `*.shop.example` or `10.0.0.5`";
        for written in ["", "*", "*.", "a b", "*.*.example", "shop.example/x"] {
            assert!(written.parse::<Host>().is_err(), "{written}");
        }
        assert_eq!(told("*"), format!("host `*` is neither a name nor an address; {help}"));
    }
}
