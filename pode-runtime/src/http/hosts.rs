//! By which hosts a server is reached.
//!
//! A page of a stranger can have its own name lead to an address of its
//! visitor's network, and then read what a server there answers: to the browser
//! both are one site (DNS rebinding). The page can't hide that name, which
//! stands in each request as its host.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{HOST, HeaderValue};
use http::{Request, StatusCode};
use pode_core::Host;
use pode_core::host::HostError;
use pode_core::origin::Authority;
use warp::Reply;
use warp::reply::Response;

use crate::base::log::ration::{Quoted, rationed};
use crate::http::exchange::ResponseRules;
use crate::http::response::sentence;

/// The hosts by which an endpoint is reached: the option `hosts` of endpoints.
/// Made of names and addresses, without scheme and port.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::Hosts;
///
/// let hosts = Hosts::from(["shop.example", "*.shop.example"]);
/// assert_ne!(hosts, Hosts::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    named: Vec<String>,
}

impl<N: Into<String>, const COUNT: usize> From<[N; COUNT]> for Hosts {
    fn from(named: [N; COUNT]) -> Hosts {
        named.into_iter().collect()
    }
}

impl<N: Into<String>> From<Vec<N>> for Hosts {
    fn from(named: Vec<N>) -> Hosts {
        named.into_iter().collect()
    }
}

impl<N: Into<String>> FromIterator<N> for Hosts {
    fn from_iter<I: IntoIterator<Item = N>>(named: I) -> Hosts {
        Hosts { named: named.into_iter().map(Into::into).collect() }
    }
}

impl Hosts {
    /// Returns the first that is one host.
    #[cfg(feature = "test")]
    pub(crate) fn first(&self) -> Option<&str> {
        self.named.iter().map(String::as_str).find(|host| !host.starts_with('*'))
    }

    /// # Errors
    ///
    /// One of them is invalid.
    pub(crate) fn parsed(&self) -> Result<Vec<Host>, HostError> {
        self.named.iter().map(|host| host.parse()).collect()
    }
}

/// Decides by which hosts a listener is reached.
#[derive(Clone, Debug)]
pub(crate) struct HostPolicy {
    /// Where it listens: at a loopback address, it is reached by the names of
    /// that, too.
    address: SocketAddr,
    named: Arc<[Host]>,
}

impl HostPolicy {
    /// Makes the policy of a listener. It is `None` if any host will do: if none
    /// is named, and it doesn't listen at a loopback address.
    pub(crate) fn new(named: Vec<Host>, address: SocketAddr) -> Option<HostPolicy> {
        let policy = HostPolicy { address, named: named.into() };
        (policy.is_loopback() || !policy.named.is_empty()).then_some(policy)
    }

    fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// Returns the answer to a request for another host. It is logged, since
    /// browsers don't show the reason.
    pub(crate) fn refused<B>(&self, request: &Request<B>) -> Option<Response> {
        // The host in the target takes precedence (RFC 9112, section 3.2.2).
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str().as_bytes(),
            None => request.headers().get(HOST).map(HeaderValue::as_bytes).unwrap_or_default(),
        };
        if self.admits(host) {
            return None;
        }
        rationed!(
            info,
            host = ?Quoted(host),
            endpoint = %self.address,
            "a request for another host is refused; `hosts: [\"…\"]` at the endpoint would admit \
             it, as is needed behind a proxy that passes `Host` on"
        );
        let text = "this server is not reached by this host";
        let refused = sentence(StatusCode::MISDIRECTED_REQUEST, text).into_response();
        Some(ResponseRules::of(request).fit(refused))
    }

    fn admits(&self, host: &[u8]) -> bool {
        // Only programs name no host, such as a proxy that asks for its health.
        if host.is_empty() {
            return true;
        }
        // As nearly all requests name a loopback address; parsing takes memory.
        let (name, port) =
            host.split_at(host.iter().position(|it| *it == b':').unwrap_or(host.len()));
        if matches!(name, b"localhost" | b"127.0.0.1")
            && port.iter().skip(1).all(u8::is_ascii_digit)
            && self.is_loopback()
        {
            return true;
        }
        let host = str::from_utf8(host).ok().and_then(|host| host.parse::<Authority>().ok());
        host.is_some_and(|host| {
            self.is_loopback() && is_loopback(&host)
                || self.named.iter().any(|named| named.includes(&host))
        })
    }
}

/// Browsers look for `localhost` and all names below it on their own machine.
fn is_loopback(host: &Authority) -> bool {
    let name = host.host().strip_suffix('.').unwrap_or(host.host());
    host.is_loopback() || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(loopback: bool) -> SocketAddr {
        (if loopback { [127, 0, 0, 1] } else { [10, 0, 0, 1] }, 8090).into()
    }

    fn admits(hosts: &[&str], loopback: bool, host: &str) -> bool {
        let hosts = Hosts::from(hosts.to_vec()).parsed().unwrap();
        HostPolicy::new(hosts, address(loopback)).unwrap().admits(host.as_bytes())
    }

    #[test]
    fn at_a_loopback_address_only_its_names_and_those_of_the_option_will_do() {
        for host in ["localhost", "LOCALHOST:8090", "localhost.", "a.localhost", "127.0.0.1:80"] {
            assert!(admits(&[], true, host), "{host}");
        }
        for host in ["127.1.2.3", "[::1]:8090", "[::ffff:127.0.0.1]", ""] {
            assert!(admits(&[], true, host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "x"] {
            assert!(!admits(&[], true, host), "{host}");
        }
        for host in ["10.0.0.5", "0.0.0.0", "[::]", "localhost:x", "a b", "é"] {
            assert!(!admits(&[], true, host), "{host}");
        }
        assert!(admits(&["shop.example"], true, "shop.example"));
        assert!(admits(&["shop.example"], true, "localhost"));
    }

    #[test]
    fn elsewhere_those_of_the_option_will_do_and_all_without_it() {
        assert!(HostPolicy::new(Vec::new(), address(false)).is_none());
        assert!(admits(&["shop.example"], false, "shop.example:443"));
        assert!(!admits(&["shop.example"], false, "localhost"));
        assert!(!admits(&["shop.example"], false, "evil.example"));
    }
}
