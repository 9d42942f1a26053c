//! What an endpoint speaks.

use std::fmt;

/// The protocol of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1: serves routes, views and public files.
    Http,
    /// WebSocket (RFC 6455): serves signals.
    Ws,
}

impl Protocol {
    /// Every protocol, in the order a message lists them.
    pub const ALL: [Protocol; 2] = [Protocol::Http, Protocol::Ws];

    /// Returns the protocol of that name; names are lower case.
    pub fn parse(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == name)
    }

    /// Returns the name, which is also the scheme of its URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Ws => "ws",
        }
    }

    /// Tells whether endpoints of this protocol serve signals; the others
    /// serve routes.
    pub const fn serves_signals(self) -> bool {
        matches!(self, Protocol::Ws)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
