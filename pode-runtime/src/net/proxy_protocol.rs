//! The PROXY protocol of HAProxy, versions 1 and 2: with the first bytes of a
//! connection, a proxy says for whom it has opened it (`proxy-protocol.txt` of
//! HAProxy).
//!
//! Nothing else in a connection tells such a header from what a client sends, so
//! it is never guessed whether there is one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const VERSION_1: &[u8] = b"PROXY ";
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header of version 1, with its line break (section 2.1).
const MOST_BYTES_1: usize = 107;

/// The longest header of version 2 that is read. It may announce 64 KiB; what
/// proxies add to the addresses takes some hundred bytes.
const MOST_BYTES_2: usize = 4 << 10;

/// A header, and for whom the connection is; `None` is the proxy itself, such as
/// for a health check, or somebody unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    bytes: usize,
    client: Option<SocketAddr>,
}

/// Reads the header of a connection from a proxy, and no byte behind it. Returns
/// the client's address; `None` is the proxy itself, or unknown.
///
/// # Errors
///
/// The connection begins with something else, or ends before.
pub(crate) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    // A silent connection needs no memory for it.
    stream.readable().await?;
    let mut bytes = vec![0; MOST_BYTES_2];
    let mut read = 0;
    loop {
        let there = read + stream.peek(&mut bytes[read..]).await?;
        if there == read {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = parse(&bytes[..there]).map_err(io::Error::other)?;
        let end = header.map_or(there, |header| header.bytes);
        stream.read_exact(&mut bytes[read..end]).await?;
        read = end;
        if let Some(header) = header {
            // IPv4 that IPv6 maps is itself, as of sockets.
            return Ok(header.client.map(|it| (it.ip().to_canonical(), it.port()).into()));
        }
    }
}

/// Parses the beginning of a connection; `None` is an incomplete header.
fn parse(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let begins = |signature: &[u8]| bytes.iter().zip(signature).all(|(one, other)| one == other);
    if begins(VERSION_1) {
        parse_version_1(&bytes[..bytes.len().min(MOST_BYTES_1)])
    } else if begins(VERSION_2) {
        parse_version_2(bytes)
    } else {
        Err("there is no header")
    }
}

fn parse_version_1(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else {
        let too_long = bytes.len() == MOST_BYTES_1;
        return if too_long { Err("the header is too long") } else { Ok(None) };
    };
    let words = &bytes[VERSION_1.len()..end];
    let client = match words.strip_prefix(b"UNKNOWN") {
        Some([] | [b' ', ..]) => None,
        _ => Some(source(words).ok_or("the header is malformed")?),
    };
    Ok(Some(Header { bytes: end + 2, client }))
}

/// Parses `TCP4`, the addresses of source and destination, and their ports.
fn source(words: &[u8]) -> Option<SocketAddr> {
    let words: Vec<&str> = str::from_utf8(words).ok()?.split(' ').collect();
    let [family, from, to, from_port, to_port] = *words else { return None };
    let address = |written: &str| match family {
        "TCP4" => written.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => written.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => None,
    };
    let port = |written: &str| {
        // The number parser would accept a sign and zeros in front.
        written.parse::<u16>().ok().filter(|port| port.to_string() == written)
    };
    let (from, _to) = (address(from)?, address(to)?);
    let (from_port, _to_port) = (port(from_port)?, port(to_port)?);
    Some((from, from_port).into())
}

fn parse_version_2(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let Some((fixed, rest)) = bytes.split_at_checked(VERSION_2.len() + 4) else { return Ok(None) };
    let [command, family] = [fixed[12], fixed[13]];
    let following = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err("the header has an unknown version or command"),
    };
    if !is_local && (family >> 4 > 3 || family & 0xf > 2) {
        return Err("the header is of an unknown protocol");
    }
    let all = fixed.len() + following;
    if all > MOST_BYTES_2 {
        return Err("the header is too long");
    }
    // What follows the addresses is skipped.
    let Some(following) = rest.get(..following) else { return Ok(None) };
    let too_short = "the header is too short for its addresses";
    let client = match family {
        _ if is_local => None,
        // Over IPv4 and IPv6: both addresses, then both ports.
        0x11 => {
            let [a, b, c, d, _, _, _, _, high, low, _, _] =
                *following.first_chunk().ok_or(too_short)?;
            Some((IpAddr::from([a, b, c, d]), u16::from_be_bytes([high, low])).into())
        }
        0x21 => {
            let block: &[u8; 36] = following.first_chunk().ok_or(too_short)?;
            let address: [u8; 16] = *block.first_chunk().ok_or(too_short)?;
            Some((IpAddr::from(address), u16::from_be_bytes([block[32], block[33]])).into())
        }
        // By Unix sockets, datagrams, or unknown.
        _ => None,
    };
    Ok(Some(Header { bytes: all, client }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// A header of version 2.
    fn version_2(command: u8, family: u8, following: &[u8]) -> Vec<u8> {
        let length = u16::try_from(following.len()).unwrap().to_be_bytes();
        [VERSION_2, &[command, family], &length, following].concat()
    }

    /// What follows for these addresses, with something more.
    fn addresses(source: SocketAddr, more: &[u8]) -> Vec<u8> {
        let ports = [source.port().to_be_bytes(), [0, 80]].concat();
        let addresses = match source.ip() {
            IpAddr::V4(address) => [address.octets(), [127, 0, 0, 1]].concat(),
            IpAddr::V6(address) => [address.octets(), [1; 16]].concat(),
        };
        [addresses, ports, more.to_vec()].concat()
    }

    #[test]
    fn version_1_is_a_line() {
        let most = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 16));
        assert_eq!(most.len(), MOST_BYTES_1);
        for (line, client) in [
            ("PROXY TCP4 1.2.3.4 10.0.0.1 567 80\r\n", Some("1.2.3.4:567")),
            ("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", Some("[2001:db8::1]:65535")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff:f...f 65535\r\n", None),
            (&most, None),
        ] {
            let client = client.map(|client| client.parse().unwrap());
            let header = Header { bytes: line.len(), client };
            assert_eq!(parse(format!("{line}GET / HTTP/1.1\r\n").as_bytes()), Ok(Some(header)));
        }
        for line in [
            "PROXY TCP4 1.2.3.4 10.0.0.1 567\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 567 80 \r\n",
            "PROXY  TCP4 1.2.3.4 10.0.0.1 567 80\r\n",
            "PROXY TCP4 ::1 10.0.0.1 567 80\r\n",
            "PROXY TCP6 1.2.3.4 ::1 567 80\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 65536 80\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 +567 80\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 0567 80\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 567 80\n\r\n",
            "PROXY UDP4 1.2.3.4 10.0.0.1 567 80\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY \r\n",
            "proxy UNKNOWN\r\n",
            "GET / HTTP/1.1\r\n",
            &format!("PROXY UNKNOWN {}\r\n", "f".repeat(108 - 16)),
        ] {
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn version_2_is_as_long_as_it_says() {
        let source = "1.2.3.4:567".parse().unwrap();
        for (command, family, following, client) in [
            (0x21, 0x11, addresses(source, b""), Some(source)),
            (0x21, 0x11, addresses(source, &[4; 4096 - 16 - 12]), Some(source)),
            (0x21, 0x12, addresses(source, b""), None),
            (0x21, 0x31, vec![b'/'; 216], None),
            (0x21, 0x00, Vec::new(), None),
            (0x20, 0x00, Vec::new(), None),
            (0x20, 0x11, addresses(source, b"more"), None),
            (0x20, 0xff, vec![0; 3], None),
        ] {
            let bytes = version_2(command, family, &following);
            let header = Header { bytes: bytes.len(), client };
            assert_eq!(parse(&[&bytes, &b"GET"[..]].concat()), Ok(Some(header)));
        }
        for (command, family, following) in [
            (0x22, 0x11, addresses(source, b"")),
            (0x11, 0x11, addresses(source, b"")),
            (0x21, 0x41, addresses(source, b"")),
            (0x21, 0x13, addresses(source, b"")),
            (0x21, 0x11, vec![0; 11]),
            (0x21, 0x21, vec![0; 35]),
            (0x21, 0x11, addresses(source, &[4; 4096 - 16 - 12 + 1])),
        ] {
            let bytes = version_2(command, family, &following);
            assert!(parse(&bytes).is_err(), "{command:x} {family:x} {following:?}");
        }
    }

    #[tokio::test]
    async fn an_address_of_ipv4_is_returned_as_what_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut proxy = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        proxy.write_all(b"PROXY TCP6 ::ffff:1.2.3.4 ::1 567 80\r\n").await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_eq!(read(&mut stream).await.unwrap(), "1.2.3.4:567".parse().ok());
    }

    #[tokio::test]
    async fn nothing_behind_the_header_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = "[2001:db8::1]:567".parse().unwrap();
        for header in [
            b"PROXY TCP6 2001:db8::1 ::1 567 80\r\n".to_vec(),
            version_2(0x21, 0x21, &addresses(source, &[4; 300])),
        ] {
            for cut in [0, 1, 7, 20, header.len() - 1, header.len()] {
                let mut proxy = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let (mut stream, _) = listener.accept().await.unwrap();
                proxy.set_nodelay(true).unwrap();
                let send = async {
                    proxy.write_all(&header[..cut]).await.unwrap();
                    tokio::task::yield_now().await;
                    proxy.write_all(&header[cut..]).await.unwrap();
                    proxy.write_all(b"GET").await.unwrap();
                    proxy.shutdown().await.unwrap();
                };
                let (client, ()) = tokio::join!(read(&mut stream), send);
                assert_eq!(client.unwrap(), Some(source));
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.unwrap();
                assert_eq!(rest, b"GET");
            }
        }
    }

    /// Headers of either version, some of them damaged, and any bytes.
    fn any_beginning() -> impl Strategy<Value = Vec<u8>> {
        let source = (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from);
        let line = source.clone().prop_map(|source| {
            let (family, to) = if source.is_ipv4() { ("TCP4", "1.1.1.1") } else { ("TCP6", "::1") };
            format!("PROXY {family} {} {to} {} 80\r\n", source.ip(), source.port()).into_bytes()
        });
        let family = prop_oneof![3 => Just(None), 1 => any::<u8>().prop_map(Some)];
        let command = prop_oneof![4 => Just(0x21), 1 => Just(0x20), 1 => any::<u8>()];
        let more = prop::collection::vec(any::<u8>(), 0..300);
        let block = (source, family, command, more).prop_map(|(source, family, command, more)| {
            let family = family.unwrap_or(if source.is_ipv4() { 0x11 } else { 0x21 });
            version_2(command, family, &addresses(source, &more))
        });
        let header = prop_oneof![line, block, prop::collection::vec(any::<u8>(), 0..64)];
        let damage = prop::option::of((any::<prop::sample::Index>(), any::<u8>()));
        let behind = prop::collection::vec(any::<u8>(), 0..200);
        (header, damage, behind).prop_map(|(mut header, damage, behind)| {
            if let Some((place, byte)) = damage.filter(|_| !header.is_empty()) {
                let place = place.index(header.len());
                header[place] = byte;
            }
            [header, behind].concat()
        })
    }

    proptest! {
        #[test]
        fn a_beginning_is_read_alike_wherever_it_is_cut(bytes in any_beginning()) {
            let whole = parse(&bytes);
            for cut in 0..bytes.len() {
                match (parse(&bytes[..cut]), &whole) {
                    (Ok(None), Ok(Some(header))) => prop_assert!(cut < header.bytes),
                    (Ok(None), _) => prop_assert!(cut < MOST_BYTES_2),
                    (found, whole) => prop_assert_eq!(&found, whole),
                }
            }
        }

        #[test]
        fn the_client_is_the_source(
            source in (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from),
        ) {
            let (name, family, to) =
                if source.is_ipv4() { ("TCP4", 0x11, "1.1.1.1") } else { ("TCP6", 0x21, "::1") };
            let line = format!("PROXY {name} {} {to} {} 80\r\n", source.ip(), source.port());
            let block = version_2(0x21, family, &addresses(source, b""));
            for bytes in [line.as_bytes(), &block] {
                let header = Header { bytes: bytes.len(), client: Some(source) };
                prop_assert_eq!(parse(bytes), Ok(Some(header)));
            }
        }
    }
}
