//! The kernel's figures about sockets, by the same request as `ss -m`
//! (sock_diag(7)).
//!
//! The request and the answers are structures of the kernel; here they are bytes
//! at the offsets that its headers `linux/netlink.h` and `linux/inet_diag.h`
//! define.

use std::collections::HashSet;
use std::io::{self, Read};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

const AF_INET: u8 = 2;
const AF_NETLINK: i32 = 16;
const IPPROTO_TCP: u8 = 6;
const NETLINK_SOCK_DIAG: i32 = 4;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_AND_DUMP: u16 = 0x1 | 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_HEADER_BYTES: usize = 16;
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// The size of `inet_diag_msg`; attributes follow it.
const ANSWER_BYTES: usize = 72;
const INET_DIAG_SKMEMINFO: u16 = 7;

/// The index, among the numbers of that attribute, of the memory that a socket's
/// unsent data takes, with its bookkeeping.
const SK_MEMINFO_WMEM_QUEUED: usize = 5;

/// The kernel answers at once, or not at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns how many bytes the kernel holds to be sent from a local port to any
/// of these ports, over TCP and IPv4.
///
/// # Errors
///
/// The system doesn't provide the figure.
pub fn unsent_bytes(port: u16, to: &HashSet<u16>) -> io::Result<u64> {
    let protocol = Protocol::from(NETLINK_SOCK_DIAG);
    let mut socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(protocol))?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    socket.send(&request(port))?;
    let mut buffer = vec![0; 64 << 10];
    let mut sum = 0;
    loop {
        let read = socket.read(&mut buffer)?;
        let mut messages = &buffer[..read];
        while let Some((kind, message)) = next_message(&mut messages) {
            match kind {
                NLMSG_DONE => return Ok(sum),
                NLMSG_ERROR => return Err(io::ErrorKind::Unsupported.into()),
                _ => sum += unsent(message, to).unwrap_or(0),
            }
        }
    }
}

/// Makes the request for the memory of all sockets of a port.
fn request(port: u16) -> Vec<u8> {
    const ALL_STATES: u32 = u32::MAX;
    let mut request = Vec::new();
    request.extend(72_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST_AND_DUMP.to_ne_bytes());
    // Sequence and sender don't matter for a single request.
    request.extend([0; 8]);
    request.extend([AF_INET, IPPROTO_TCP, 1 << (INET_DIAG_SKMEMINFO - 1), 0]);
    request.extend(ALL_STATES.to_ne_bytes());
    request.extend(port.to_be_bytes());
    // Any peer, any address and any interface.
    request.resize(72, 0);
    request
}

/// Returns the figure of one answer, if it is about one of these peers.
fn unsent(answer: &[u8], to: &HashSet<u16>) -> Option<u64> {
    let peer_port = u16::from_be_bytes(answer.get(6..8)?.try_into().ok()?);
    if !to.contains(&peer_port) {
        return None;
    }
    let mut attributes = answer.get(ANSWER_BYTES..)?;
    while let Some((kind, numbers)) = next_attribute(&mut attributes) {
        if kind == INET_DIAG_SKMEMINFO {
            let number = numbers.chunks_exact(4).nth(SK_MEMINFO_WMEM_QUEUED)?;
            return Some(u32::from_ne_bytes(number.try_into().ok()?).into());
        }
    }
    None
}

/// Takes the next message: its kind, and its contents after the header.
fn next_message<'a>(bytes: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    Some((kind, take(bytes, NLMSG_HEADER_BYTES, length)?))
}

/// Takes the next attribute of a message, in the same way.
fn next_attribute<'a>(bytes: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let length = u16::from_ne_bytes(*bytes.first_chunk()?).into();
    let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?);
    Some((kind, take(bytes, ATTRIBUTE_HEADER_BYTES, length)?))
}

/// Takes one item; the next one begins at a multiple of four bytes.
fn take<'a>(bytes: &mut &'a [u8], header: usize, length: usize) -> Option<&'a [u8]> {
    let body = bytes.get(header..length)?;
    *bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(body)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_waits_for_a_client_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let to = HashSet::from([client.local_addr().unwrap().port()]);
        let (mut server, _) = listener.accept().unwrap();
        // Where the system doesn't provide the figure, there is nothing to test.
        let Ok(nothing) = unsent_bytes(port, &to) else { return };
        assert_eq!(nothing, 0);
        server.set_nonblocking(true).unwrap();
        while server.write(&[0; 16 << 10]).is_ok() {}
        assert!(unsent_bytes(port, &to).unwrap() > 16 << 10);
        assert_eq!(unsent_bytes(port, &HashSet::new()).unwrap(), 0);
    }
}
