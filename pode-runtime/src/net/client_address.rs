//! What the limits count as one address of a client.

use std::net::{IpAddr, Ipv6Addr};

/// Returns the address as which a client counts: of IPv6 the /64 network, all of
/// which a single host has for itself; an IPv4 address that IPv6 maps is itself.
pub(super) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_address() {
        let same = |one: &str, other: &str| {
            counted_as(one.parse().unwrap()) == counted_as(other.parse().unwrap())
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:2"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:127.0.0.1", "127.0.0.1"));
        assert!(!same("::ffff:127.0.0.1", "::ffff:127.0.0.2"));
    }
}
