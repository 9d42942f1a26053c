//! Proxies in front of a server, which say for whom they send.

use std::net::IpAddr;

use pode_core::Network;
use pode_core::network::NetworkError;

/// The proxies from which an endpoint takes who the client is: the option
/// `trusted_proxies` of endpoints. Made of addresses and networks, or by
/// [`forwarded_by`].
///
/// ```
/// # use pode_runtime as pode;
/// use pode::{TrustedProxies, forwarded_by};
///
/// let proxies = TrustedProxies::from(["127.0.0.1", "10.0.0.0/8", "fd00::/8"]);
/// assert_ne!(proxies, forwarded_by(["127.0.0.1", "10.0.0.0/8", "fd00::/8"]));
/// assert_ne!(proxies, TrustedProxies::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    named: Vec<String>,
    header: ForwardingHeader,
}

/// How proxies say for whom they send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ForwardingHeader {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Makes [`TrustedProxies`] that send `Forwarded` (RFC 7239).
///
/// Of the two kinds of headers only one is read: a proxy that sets one passes on
/// the other as the client sent it.
pub fn forwarded_by(proxies: impl IntoIterator<Item = impl Into<String>>) -> TrustedProxies {
    TrustedProxies { header: ForwardingHeader::Forwarded, ..proxies.into_iter().collect() }
}

impl<N: Into<String>, const COUNT: usize> From<[N; COUNT]> for TrustedProxies {
    fn from(named: [N; COUNT]) -> TrustedProxies {
        named.into_iter().collect()
    }
}

impl<N: Into<String>> From<Vec<N>> for TrustedProxies {
    fn from(named: Vec<N>) -> TrustedProxies {
        named.into_iter().collect()
    }
}

impl<N: Into<String>> FromIterator<N> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = N>>(named: I) -> TrustedProxies {
        let named = named.into_iter().map(Into::into).collect();
        TrustedProxies { named, header: ForwardingHeader::default() }
    }
}

impl TrustedProxies {
    pub(crate) fn is_none(&self) -> bool {
        self.named.is_empty()
    }

    /// # Errors
    ///
    /// One of them is invalid.
    pub(crate) fn parsed(&self) -> Result<Proxies, NetworkError> {
        let networks = self.named.iter().map(|network| network.parse());
        let networks = networks.collect::<Result<_, _>>()?;
        Ok(Proxies { networks, header: self.header, open_by_proxy_protocol: false })
    }
}

/// The proxies of a listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    networks: Vec<Network>,
    pub(crate) header: ForwardingHeader,
    /// Whether each connection comes from one of them and begins with a header
    /// of the PROXY protocol.
    pub(crate) open_by_proxy_protocol: bool,
}

impl Proxies {
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.includes(address))
    }
}
