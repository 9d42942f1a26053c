//! The protocols of endpoints.

use std::fmt;

/// The protocol of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1: serves routes, views and public files.
    Http,
    /// HTTP/1.1 or HTTP/2 over TLS: serves the same as `http`.
    Https,
    /// WebSocket (RFC 6455): serves signals.
    Ws,
    /// WebSocket over TLS: serves the same as `ws`.
    Wss,
}

impl Protocol {
    /// Every protocol, in the order a message lists them.
    pub const ALL: [Protocol; 4] = [Protocol::Http, Protocol::Https, Protocol::Ws, Protocol::Wss];

    /// Returns the protocol of that name; names are lower case.
    pub fn parse(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == name)
    }

    /// Returns the name, which is also the scheme of its URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Ws => "ws",
            Protocol::Wss => "wss",
        }
    }

    /// Tells whether endpoints of this protocol serve signals; the others
    /// serve routes.
    pub const fn serves_signals(self) -> bool {
        matches!(self, Protocol::Ws | Protocol::Wss)
    }

    /// Tells whether it runs over TLS, and so needs a certificate.
    pub const fn is_secure(self) -> bool {
        matches!(self, Protocol::Https | Protocol::Wss)
    }

    /// Tells whether both can share an address: `http` with `ws`, and `https`
    /// with `wss`.
    pub fn shares_address_with(self, other: Protocol) -> bool {
        self != other && self.is_secure() == other.is_secure()
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
