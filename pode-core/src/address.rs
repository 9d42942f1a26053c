//! Addresses: where an endpoint listens.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where an endpoint listens, made from anything that names an address.
///
/// From a text it is `ADDRESS:PORT`, where the address is an IPv4 or a
/// bracketed IPv6 literal, `localhost` (127.0.0.1) or `*` (all IPv4
/// interfaces); from a number it is that port on localhost. Port 0 picks a
/// free one.
///
/// Making one never fails: [`Address::bind`] checks an address that is known
/// only at run time, when the server starts.
///
/// ```
/// # use pode_core as pode;
/// use pode::Address;
///
/// let address = Address::from(8090);
/// assert_eq!(address.bind().unwrap().to_string(), "127.0.0.1:8090");
/// assert!(Address::from("127.0.0.1").bind().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    bind: Result<Bind, AddressError>,
}

impl Address {
    /// Returns the host and the port to bind.
    ///
    /// # Errors
    ///
    /// The text the address was made from is not `ADDRESS:PORT`.
    pub fn bind(&self) -> Result<Bind, AddressError> {
        self.bind.clone()
    }
}

impl From<&str> for Address {
    fn from(written: &str) -> Self {
        Address { bind: written.parse() }
    }
}

impl From<String> for Address {
    fn from(written: String) -> Self {
        Address::from(written.as_str())
    }
}

impl From<u16> for Address {
    fn from(port: u16) -> Self {
        Address { bind: Ok(Bind { host: Host::Localhost, port }) }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address { bind: Ok(Bind { host: Host::Ip(address.ip()), port: address.port() }) }
    }
}

/// A host and a port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bind {
    /// The interfaces.
    pub host: Host,
    /// The port; 0 picks a free one.
    pub port: u16,
}

/// The interfaces an endpoint listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// `*`: all IPv4 interfaces.
    AllIpv4,
    /// `localhost`: this machine alone, by IPv4.
    Localhost,
    /// The interface of this address; 0.0.0.0 and `[::]` are all of their
    /// family.
    Ip(IpAddr),
}

impl Bind {
    /// Returns the address for the operating system.
    pub fn socket_address(&self) -> SocketAddr {
        let ip = match self.host {
            Host::AllIpv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Host::Localhost => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Host::Ip(ip) => ip,
        };
        SocketAddr::new(ip, self.port)
    }

    /// Tells whether both are the same socket, so that protocols may share it.
    ///
    /// `*` and `0.0.0.0` are the same, as are `localhost` and `127.0.0.1`.
    pub fn same(&self, other: &Bind) -> bool {
        self.socket_address() == other.socket_address()
    }

    /// Tells whether both are different sockets that can't be bound at once.
    ///
    /// All interfaces of an address family clash with one of them at the same
    /// port. Port 0 never clashes.
    pub fn clashes(&self, other: &Bind) -> bool {
        let (mine, theirs) = (self.socket_address(), other.socket_address());
        self.port != 0
            && self.port == other.port
            && mine != theirs
            && mine.is_ipv4() == theirs.is_ipv4()
            && (mine.ip().is_unspecified() || theirs.ip().is_unspecified())
    }
}

/// The address as a user would open it: `127.0.0.1:8090`, `[::1]:8090`.
impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket_address().fmt(f)
    }
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing follows the host.
    #[error("address `{written}` has no port")]
    MissingPort {
        /// The address as written.
        written: String,
    },
    /// A number above 65535.
    #[error("port `{port}` is out of range")]
    PortOutOfRange {
        /// The port as written.
        port: String,
    },
    /// The text after the last colon is not a number.
    #[error("port `{port}` is not a number")]
    PortNotNumber {
        /// The port as written.
        port: String,
    },
    /// An IPv6 address without its brackets.
    #[error("the IPv6 address `{host}` needs brackets")]
    MissingBrackets {
        /// The host as written.
        host: String,
    },
    /// A name, or a misspelled literal.
    #[error("`{host}` is not an address to listen on")]
    UnknownHost {
        /// The host as written.
        host: String,
    },
}

impl AddressError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        match self {
            AddressError::MissingPort { written } if written.is_empty() => {
                "write `\"127.0.0.1:8090\"`".to_owned()
            }
            AddressError::MissingPort { written } if written.parse::<u16>().is_ok() => {
                format!("write `\"127.0.0.1:{written}\"`, or the port alone: `{written}`")
            }
            AddressError::MissingPort { written } => format!(
                "write `\"{written}:8090\"`, or port 0 for a free one",
                written = written.trim_end_matches(':')
            ),
            AddressError::PortOutOfRange { .. } | AddressError::PortNotNumber { .. } => {
                "ports go from 0 to 65535; 0 picks a free one".to_owned()
            }
            AddressError::MissingBrackets { host } => match host.rsplit_once(':') {
                // What looks like a port most likely is one.
                Some((ip, port)) if port.len() > 3 && ip.parse::<Ipv6Addr>().is_ok() => {
                    format!("write `[{ip}]:{port}`")
                }
                _ => format!("write `[{host}]:8090`"),
            },
            AddressError::UnknownHost { .. } => {
                "write an IP address, `localhost`, or `*` for all IPv4 interfaces".to_owned()
            }
        }
    }
}

impl FromStr for Bind {
    type Err = AddressError;

    fn from_str(written: &str) -> Result<Self, AddressError> {
        let missing_port = || AddressError::MissingPort { written: written.to_owned() };
        if written.parse::<Ipv6Addr>().is_ok() {
            return Err(AddressError::MissingBrackets { host: written.to_owned() });
        }
        if written.ends_with(']') {
            return Err(missing_port());
        }
        let (host, port) = written.rsplit_once(':').ok_or_else(missing_port)?;
        if port.is_empty() {
            return Err(missing_port());
        }
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AddressError::PortNotNumber { port: port.to_owned() });
        }
        let port =
            port.parse().map_err(|_| AddressError::PortOutOfRange { port: port.to_owned() })?;
        Ok(Bind { host: parse_host(host)?, port })
    }
}

fn parse_host(host: &str) -> Result<Host, AddressError> {
    let unknown = || AddressError::UnknownHost { host: host.to_owned() };
    match host {
        "*" => return Ok(Host::AllIpv4),
        "localhost" => return Ok(Host::Localhost),
        _ => {}
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().map(|ip| Host::Ip(ip.into())).map_err(|_| unknown());
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => Ok(Host::Ip(ip.into())),
        Ok(IpAddr::V6(_)) => Err(AddressError::MissingBrackets { host: host.to_owned() }),
        Err(_) => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: &str) {
        let found = match written.parse::<Bind>() {
            Ok(bind) => bind.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn hosts_and_ports_are_understood() {
        check("127.0.0.1:8090", "127.0.0.1:8090");
        check("localhost:0", "127.0.0.1:0");
        check("*:8443", "0.0.0.0:8443");
        check("[::1]:8090", "[::1]:8090");
    }

    #[test]
    fn mistakes_are_named() {
        check("127.0.0.1:80900", "port `80900` is out of range");
        check("127.0.0.1:99999999999999999999", "port `99999999999999999999` is out of range");
        check("127.0.0.1:http", "port `http` is not a number");
        check("127.0.0.1:+80", "port `+80` is not a number");
        check("127.0.0.1", "address `127.0.0.1` has no port");
        check("127.0.0.1:", "address `127.0.0.1:` has no port");
        check("", "address `` has no port");
        check("[::1]", "address `[::1]` has no port");
        check("::1:8090", "the IPv6 address `::1:8090` needs brackets");
        check("example.org:80", "`example.org` is not an address to listen on");
        check("127.0.0.300:80", "`127.0.0.300` is not an address to listen on");
    }

    #[test]
    fn only_different_sockets_of_one_kind_clash() {
        let bind = |written: &str| written.parse::<Bind>().unwrap();
        assert!(bind("*:80").same(&bind("0.0.0.0:80")));
        assert!(bind("*:80").clashes(&bind("127.0.0.1:80")));
        assert!(!bind("*:80").clashes(&bind("0.0.0.0:80")));
        assert!(!bind("*:80").clashes(&bind("127.0.0.1:81")));
        assert!(!bind("*:80").clashes(&bind("[::1]:80")));
        assert!(!bind("*:0").clashes(&bind("127.0.0.1:0")));
        assert!(!bind("127.0.0.1:80").clashes(&bind("127.0.0.2:80")));
    }
}
