//! Whose request a proxy passes on, as its headers say.
//!
//! Each proxy adds the address from which it got the request, so the list is
//! read from its end, as long as those who added to it are trusted: what comes
//! before may be made up by the client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::net::proxies::{ForwardingHeader, Proxies};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the nearest proxy says of a request that it passes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forwarded {
    /// Whether it came by TLS.
    pub(crate) is_secure: Option<bool>,
    /// For which host it was, not checked.
    pub(crate) host: Option<String>,
}

/// Reads the headers of a request that a trusted proxy at `peer` passes on.
/// Returns the address of the client: the last one that isn't a trusted proxy's;
/// its port is 0 if it isn't told.
pub(crate) fn read(
    proxies: &Proxies,
    peer: SocketAddr,
    headers: &HeaderMap,
) -> (SocketAddr, Forwarded) {
    match proxies.header {
        ForwardingHeader::XForwarded => {
            let elements = |name| from_the_end(headers, name, last_comma);
            let forwarded = Forwarded {
                is_secure: elements(X_FORWARDED_PROTO).next().and_then(is_secure),
                host: elements(X_FORWARDED_HOST).next().map(text),
            };
            let addresses = elements(X_FORWARDED_FOR).map(address);
            (client(proxies, peer, addresses), forwarded)
        }
        ForwardingHeader::Forwarded => {
            let elements = || from_the_end(headers, FORWARDED, last_unquoted_comma);
            let nearest = elements().next().unwrap_or_default();
            let forwarded = Forwarded {
                is_secure: parameter(nearest, "proto").and_then(|proto| is_secure(&proto)),
                host: parameter(nearest, "host").map(|host| text(&host)),
            };
            let addresses = elements().map(|element| address(&parameter(element, "for")?));
            (client(proxies, peer, addresses), forwarded)
        }
    }
}

/// Goes from a trusted proxy to whoever it got the request from, and on; a
/// `None` is no address, and where it ends.
fn client(
    proxies: &Proxies,
    peer: SocketAddr,
    mut addresses: impl Iterator<Item = Option<SocketAddr>>,
) -> SocketAddr {
    let mut client = peer;
    while proxies.trusts(client.ip())
        && let Some(Some(before)) = addresses.next()
    {
        client = before;
    }
    client
}

/// Returns the elements of a header, the last one first. `last` finds the last
/// separator of a line.
fn from_the_end(
    headers: &HeaderMap,
    name: HeaderName,
    last: fn(&[u8]) -> Option<usize>,
) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).iter().rev().map(HeaderValue::as_bytes);
    lines.flat_map(move |line| split_from_the_end(line, last))
}

fn split_from_the_end(
    line: &[u8],
    last: impl Fn(&[u8]) -> Option<usize>,
) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let separator = last(line);
        rest = separator.map(|index| &line[..index]);
        Some(line[separator.map_or(0, |index| index + 1)..].trim_ascii())
    })
}

fn last_comma(line: &[u8]) -> Option<usize> {
    line.iter().rposition(|byte| *byte == b',')
}

fn last_unquoted_comma(line: &[u8]) -> Option<usize> {
    last_unquoted(line, b',')
}

/// Finds the last separator outside of quotes. Read from its end, what the
/// nearest proxy wrote is well-formed, whatever quotes the client has opened
/// before.
fn last_unquoted(line: &[u8], separator: u8) -> Option<usize> {
    let mut is_quoted = false;
    (0..line.len()).rev().find(|index| {
        let byte = line[*index];
        if byte == b'"' && !(is_quoted && is_escaped(&line[..*index])) {
            is_quoted = !is_quoted;
        }
        byte == separator && !is_quoted
    })
}

/// Whether what follows these bytes within quotes is escaped.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Returns a parameter of an element of `Forwarded`, without quotes and escapes
/// (RFC 7239, section 4).
fn parameter(element: &[u8], name: &str) -> Option<Vec<u8>> {
    let pairs = split_from_the_end(element, |line| last_unquoted(line, b';'));
    let mut values = pairs.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let is_meant = pair[..equals].trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        is_meant.then(|| unquoted(pair[equals + 1..].trim_ascii()))
    });
    values.next()
}

fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some([b'"', quoted @ ..]) = value.strip_suffix(b"\"") else { return value.to_vec() };
    let mut escaped = false;
    let mut is_meant = |byte: &&u8| {
        escaped = **byte == b'\\' && !escaped;
        !escaped
    };
    quoted.iter().filter(|byte| is_meant(byte)).copied().collect()
}

fn is_secure(scheme: &[u8]) -> Option<bool> {
    match &*scheme.to_ascii_lowercase() {
        b"https" | b"wss" => Some(true),
        b"http" | b"ws" => Some(false),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads an address with or without a port: `10.0.0.1`, `10.0.0.1:80`, `fd00::1`,
/// `[fd00::1]`, `[fd00::1]:80`. A port may be hidden (RFC 7239, section 6.3).
fn address(written: &[u8]) -> Option<SocketAddr> {
    let written = str::from_utf8(written).ok()?;
    if let Ok(address) = written.parse::<IpAddr>() {
        return Some((address.to_canonical(), 0).into());
    }
    let (address, port): (IpAddr, _) = match written.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let (address, port) = written.split_at(written.find(':')?);
            (address.parse::<Ipv4Addr>().ok()?.into(), port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 0,
        Some(hidden) if hidden.starts_with('_') => 0,
        // The number parser would accept a sign.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
        _ => return None,
    };
    // As those of sockets.
    Some((address.to_canonical(), port).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::proxies::{TrustedProxies, forwarded_by};

    const PROXY: &str = "10.0.0.1:4000";

    fn networks() -> [&'static str; 2] {
        ["10.0.0.0/8", "fd00::/8"]
    }

    fn by_x_forwarded() -> Proxies {
        TrustedProxies::from(networks()).parsed().unwrap()
    }

    fn by_forwarded() -> Proxies {
        forwarded_by(networks()).parsed().unwrap()
    }

    fn read_from<V: AsRef<[u8]>>(
        proxies: &Proxies,
        lines: &[(HeaderName, V)],
    ) -> (SocketAddr, Forwarded) {
        let value = |value: &V| HeaderValue::from_bytes(value.as_ref()).unwrap();
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name, value(line));
        }
        read(proxies, PROXY.parse().unwrap(), &headers)
    }

    fn client<V: AsRef<[u8]>>(proxies: &Proxies, name: HeaderName, lines: &[V]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (name.clone(), line)).collect();
        read_from(proxies, &lines).0.to_string()
    }

    #[test]
    fn the_client_is_the_last_that_is_no_trusted_proxy() {
        let by_x = |lines: &[&str]| client(&by_x_forwarded(), X_FORWARDED_FOR, lines);
        let by_rfc = |lines: &[&str]| client(&by_forwarded(), FORWARDED, lines);
        for (lines, expected) in [
            (&[][..], PROXY),
            (&["1.2.3.4"], "1.2.3.4:0"),
            (&["1.2.3.4:567"], "1.2.3.4:567"),
            (&["::ffff:1.2.3.4"], "1.2.3.4:0"),
            (&["[::ffff:1.2.3.4]:8"], "1.2.3.4:8"),
            (&["2001:db8::1"], "[2001:db8::1]:0"),
            (&["[2001:db8::1]"], "[2001:db8::1]:0"),
            (&["[2001:db8::1]:567"], "[2001:db8::1]:567"),
            (&["9.9.9.9, 1.2.3.4"], "1.2.3.4:0"),
            (&["9.9.9.9", "1.2.3.4"], "1.2.3.4:0"),
            (&["9.9.9.9, 1.2.3.4 ,10.0.0.2", "fd00::1"], "1.2.3.4:0"),
            // All are trusted.
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3:0"),
            // The last one that is trusted, where the next isn't an address.
            (&["1.2.3.4, unknown, 10.0.0.2"], "10.0.0.2:0"),
            (&["1.2.3.4, , 10.0.0.2"], "10.0.0.2:0"),
            (&["1.2.3.4, 10.0.0"], PROXY),
            (&["1.2.3.4:"], PROXY),
            (&["1.2.3.4:+1"], PROXY),
            (&["1.2.3.4:65536"], PROXY),
            (&["[1.2.3.4]"], PROXY),
            (&["[::1"], PROXY),
            (&[""], PROXY),
        ] {
            let quoted = |element: &str| format!("For=\"{}\"", element.trim());
            let elements = |line: &&str| line.split(',').map(quoted).collect::<Vec<_>>().join(",");
            let lines_of_rfc: Vec<String> = lines.iter().map(elements).collect();
            let of_rfc: Vec<&str> = lines_of_rfc.iter().map(|line| &**line).collect();
            if !expected.is_empty() && lines != [""] {
                assert_eq!(by_rfc(&of_rfc), expected, "{of_rfc:?}");
            }
            assert_eq!(by_x(lines), expected, "{lines:?}");
        }
        assert_eq!(by_rfc(&["for=1.2.3.4;by=10.0.0.1"]), "1.2.3.4:0");
        assert_eq!(by_rfc(&["proto=https; FOR = \"[2001:db8::1]:_hidden\""]), "[2001:db8::1]:0");
        assert_eq!(
            by_rfc(&["for=9.9.9.9, for=1.2.3.4;note=\"a, \\\"b; for=8.8.8.8\""]),
            "1.2.3.4:0"
        );
        // A quote that the client opens.
        assert_eq!(by_rfc(&["for=\"9.9.9.9, for=1.2.3.4"]), "1.2.3.4:0");
        assert_eq!(by_rfc(&["for=\"9.9.9.9, for=10.0.0.2"]), "10.0.0.2:0");
        assert_eq!(by_rfc(&["for=9.9.9.9, proto=https"]), PROXY);
    }

    #[test]
    fn each_kind_of_proxy_is_told_by_its_own_headers() {
        let lines = [
            (X_FORWARDED_FOR, "1.1.1.1"),
            (X_FORWARDED_PROTO, "https, http"),
            (X_FORWARDED_HOST, "evil.example"),
            (X_FORWARDED_HOST, "a.example, shop.example:8443"),
            (FORWARDED, "for=3.3.3.3;host=evil.example;proto=http"),
            (FORWARDED, "for=2.2.2.2;host=\"shop.example:443\";proto=HTTPS"),
        ];
        let told = |address: &str, is_secure, host: &str| {
            let host = Some(host.to_owned());
            (address.parse().unwrap(), Forwarded { is_secure: Some(is_secure), host })
        };
        let by_x = read_from(&by_x_forwarded(), &lines);
        assert_eq!(by_x, told("1.1.1.1:0", false, "shop.example:8443"));
        assert_eq!(read_from(&by_forwarded(), &lines), told("2.2.2.2:0", true, "shop.example:443"));
        let nothing = read_from::<&str>(&by_forwarded(), &[]);
        assert_eq!(nothing, (PROXY.parse().unwrap(), Forwarded::default()));
        let unknown = read_from(&by_x_forwarded(), &[(X_FORWARDED_PROTO, "gopher")]);
        assert_eq!(unknown.1, Forwarded::default());
    }

    /// Reads plainly what is well-formed: each address in its order.
    fn plainly(proxies: &Proxies, addresses: &[SocketAddr]) -> SocketAddr {
        let untrusted = addresses.iter().rfind(|address| !proxies.trusts(address.ip()));
        untrusted.or(addresses.first()).copied().unwrap_or(PROXY.parse().unwrap())
    }

    fn any_line() -> impl Strategy<Value = Vec<u8>> {
        let words = prop::sample::select(vec![
            "for=",
            "\"",
            "\\",
            ",",
            ";",
            "=",
            " ",
            "1.2.3.4",
            "10.0.0.2",
            "[fd00::1]",
            ":80",
            "host=",
            "proto=",
            "unknown",
            "\u{e9}",
        ]);
        let words = prop::collection::vec(words.prop_map(|word| word.as_bytes().to_vec()), 0..16);
        let bytes = prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xff_u8];
        prop_oneof![words.prop_map(|words| words.concat()), prop::collection::vec(bytes, 0..64)]
    }

    fn any_stranger() -> impl Strategy<Value = SocketAddr> {
        let ipv4 = any::<[u8; 3]>().prop_map(|[a, b, c]| IpAddr::from([192, a, b, c]));
        let ipv6 = any::<[u16; 3]>().prop_map(|[a, b, c]| [0x2001, 0xdb8, 0, 0, 0, a, b, c].into());
        (prop_oneof![ipv4, ipv6], any::<u16>()).prop_map(SocketAddr::from)
    }

    fn any_address() -> impl Strategy<Value = SocketAddr> {
        let trusted = any::<[u8; 3]>().prop_map(|[a, b, c]| ([10, a, b, c], 80).into());
        prop_oneof![trusted, any_stranger()]
    }

    proptest! {
        #[test]
        fn any_headers_are_read(lines in prop::collection::vec(any_line(), 0..4)) {
            for (proxies, name) in [(by_x_forwarded(), X_FORWARDED_FOR), (by_forwarded(), FORWARDED)] {
                client(&proxies, name, &lines);
                for name in [X_FORWARDED_HOST, X_FORWARDED_PROTO] {
                    client(&proxies, name, &lines);
                }
            }
        }

        #[test]
        fn what_a_client_sends_itself_makes_no_difference(
            lines in prop::collection::vec(any_line(), 1..4),
            own in any_stranger(),
            behind in prop::collection::vec(1_u8.., 0..3),
            joined: bool,
        ) {
            let all: Vec<_> = std::iter::once(own.to_string())
                .chain(behind.iter().map(|last| format!("10.0.0.{last}")))
                .collect();
            let of_rfc = all.iter().map(|address| format!("for=\"{address}\"; proto=http"));
            let of_rfc = of_rfc.collect::<Vec<_>>().join(", ");
            for (proxies, name, added) in [
                (by_x_forwarded(), X_FORWARDED_FOR, all.join(", ")),
                (by_forwarded(), FORWARDED, of_rfc),
            ] {
                let mut lines = lines.clone();
                if joined {
                    lines.last_mut().unwrap().extend(format!(", {added}").bytes());
                } else {
                    lines.push(added.into_bytes());
                }
                prop_assert_eq!(client(&proxies, name, &lines), own.to_string());
            }
        }

        #[test]
        fn lists_are_read_as_a_plain_reader_does(
            addresses in prop::collection::vec(any_address(), 0..6),
            cut in 0..6_usize,
        ) {
            let cut = cut.min(addresses.len());
            let lines = |form: fn(&SocketAddr) -> String| {
                [&addresses[..cut], &addresses[cut..]]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .map(|part| part.iter().map(form).collect::<Vec<_>>().join(","))
                    .collect::<Vec<_>>()
            };
            let by_x = client(&by_x_forwarded(), X_FORWARDED_FOR, &lines(ToString::to_string));
            let by_rfc = lines(|address| format!("by=a;for=\"{address}\";host=b"));
            let by_rfc = client(&by_forwarded(), FORWARDED, &by_rfc);
            let expected = plainly(&by_x_forwarded(), &addresses).to_string();
            prop_assert_eq!([by_x, by_rfc], [expected.clone(), expected]);
        }
    }
}
