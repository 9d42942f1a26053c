//! Networks of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address, or a network with the length of its prefix: `127.0.0.1`,
/// `10.0.0.0/8`, `fd00::/8`.
///
/// An IPv4 address that IPv6 maps is itself.
///
/// ```
/// # use pode_core::Network;
///
/// let network: Network = "10.0.0.0/8".parse().unwrap();
/// assert!(network.includes("10.1.2.3".parse().unwrap()));
/// assert!(!network.includes("11.1.2.3".parse().unwrap()));
/// assert!("10.1.2.3/8".parse::<Network>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Tells whether an address lies in this network.
    pub fn includes(&self, address: IpAddr) -> bool {
        cut(address.to_canonical(), self.prefix) == Some(self.first)
    }
}

/// Returns the first address of the network of that prefix, unless it is too
/// long.
fn cut(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let behind = |bits: u8| bits.checked_sub(prefix).map(u32::from);
    Some(match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(behind(32)?).unwrap_or_default();
            Ipv4Addr::from(u32::from(address) & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(behind(128)?).unwrap_or_default();
            Ipv6Addr::from(u128::from(address) & mask).into()
        }
    })
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(written: &str) -> Result<Network, NetworkError> {
        let error = |kind| NetworkError { written: written.to_owned(), kind };
        let (address, prefix) = match written.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (written, None),
        };
        let first: IpAddr = address.parse().map_err(|_| error(Kind::Address))?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        // The number parser would accept a sign.
        let digits = |it: &&str| it.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.map_or(Some(most), |it| Some(it).filter(digits)?.parse().ok());
        let network = prefix.and_then(|prefix| Some((cut(first, prefix)?, prefix)));
        let (network, prefix) = network.ok_or_else(|| error(Kind::Prefix { most }))?;
        if network != first {
            return Err(error(Kind::Within { network, prefix }));
        }
        let canonical = first.to_canonical();
        // The prefix of one that IPv6 maps includes that of the mapping.
        let prefix = if canonical == first { prefix } else { prefix - 96 };
        Ok(Network { first: canonical, prefix })
    }
}

/// Why a text is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{written}` {kind}")]
pub struct NetworkError {
    written: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Address,
    Prefix { most: u8 },
    Within { network: IpAddr, prefix: u8 },
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Address => "is neither an address nor a network",
            Kind::Prefix { .. } => "has no valid length of a prefix",
            Kind::Within { .. } => "is an address within a network",
        })
    }
}

impl NetworkError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        match self.kind {
            Kind::Address => {
                "write it as `127.0.0.1`, `10.0.0.0/8`, `::1` or `fd00::/8`".to_owned()
            }
            Kind::Prefix { most } => format!("write a number from 0 to {most} behind the `/`"),
            Kind::Within { network, prefix } => {
                let address = self.written.split('/').next().unwrap_or_default();
                format!("write `{network}/{prefix}`, or `{address}` for that address alone")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_all_with_a_prefix() {
        let includes = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().includes(address.parse().unwrap())
        };
        for (network, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("10.0.0.0/8", "10.255.255.255"),
            ("::ffff:10.0.0.0/104", "10.255.255.255"),
            ("10.128.0.0/9", "10.128.0.0"),
            ("10.0.0.4/30", "10.0.0.7"),
            ("0.0.0.0/0", "255.255.255.255"),
            ("1.2.3.4/32", "1.2.3.4"),
            ("::1", "::1"),
            ("fd00::/8", "fdff::1"),
            ("2001:db8:0:8::/61", "2001:db8:0:f:1::"),
            ("::/0", "ffff::"),
            ("::1/128", "::1"),
        ] {
            assert!(includes(network, address), "{network} {address}");
        }
        for (network, address) in [
            ("127.0.0.1", "127.0.0.2"),
            ("10.0.0.0/8", "11.0.0.0"),
            ("10.128.0.0/9", "10.127.255.255"),
            ("10.0.0.4/30", "10.0.0.8"),
            ("fd00::/8", "fe00::"),
            ("2001:db8:0:8::/61", "2001:db8:0:10::"),
            // The networks of one version say nothing of the other.
            ("0.0.0.0/0", "::1"),
            ("::/0", "127.0.0.1"),
            ("::/0", "::ffff:127.0.0.1"),
        ] {
            assert!(!includes(network, address), "{network} {address}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |written: &str| {
            let error = written.parse::<Network>().unwrap_err();
            format!("{error}; {}", error.help())
        };
        let help = "write it as `127.0.0.1`, `10.0.0.0/8`, `::1` or `fd00::/8`";
        for written in ["", "localhost", "10.0.0", "10.0.0.0:80", "[::1]", "10.*", "1.2.3.4 ", "/8"]
        {
            assert_eq!(
                told(written),
                format!("`{written}` is neither an address nor a network; {help}")
            );
        }
        for (written, most) in [
            ("10.0.0.0/33", 32),
            ("10.0.0.0/", 32),
            ("10.0.0.0/+8", 32),
            ("10.0.0.0/255.0.0.0", 32),
            ("::/129", 128),
            ("::/1000", 128),
        ] {
            let help = format!("write a number from 0 to {most} behind the `/`");
            assert_eq!(
                told(written),
                format!("`{written}` has no valid length of a prefix; {help}")
            );
        }
        assert_eq!(
            told("10.1.2.3/8"),
            "`10.1.2.3/8` is an address within a network; write `10.0.0.0/8`, or `10.1.2.3` for \
             that address alone"
        );
    }
}
