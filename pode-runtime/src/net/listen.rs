//! Listening sockets: bound here, or inherited from another process.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(unix)]
use std::ops::Range;
#[cfg(unix)]
use std::os::fd::RawFd;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

use pode_core::Bind;
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[cfg(unix)]
use crate::net::descriptor;

/// How many connections may wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 4096;

/// A listening socket, and whether connections are accepted from it.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Arc<TcpListener>,
    accepting: watch::Receiver<bool>,
}

impl Listener {
    pub(crate) fn new(socket: Arc<TcpListener>, accepting: watch::Receiver<bool>) -> Listener {
        Listener { socket, accepting }
    }

    pub(crate) fn accepting(&self) -> watch::Receiver<bool> {
        self.accepting.clone()
    }

    /// Waits for the next connection while accepting is on. Cancel safe.
    ///
    /// A socket for IPv6 and IPv4 maps addresses of IPv4; they are returned as
    /// what they are.
    pub(crate) async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, mut peer) = loop {
            if self.accepting.wait_for(|accepting| *accepting).await.is_err() {
                break self.socket.accept().await?;
            }
            tokio::select! {
                biased;
                Ok(()) = self.accepting.changed() => {}
                accepted = self.socket.accept() => break accepted?,
            }
        };
        if let IpAddr::V4(ip) = peer.ip().to_canonical() {
            peer.set_ip(ip.into());
        }
        Ok((stream, peer))
    }
}

/// Connections are always accepted.
#[cfg(test)]
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Listener {
        Listener::new(Arc::new(socket), watch::channel(true).1)
    }
}

/// A listening socket that one process hands to another.
#[derive(Debug)]
pub(crate) struct HandedSocket {
    /// The declared address, which may have port 0.
    pub(crate) declared: SocketAddr,
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
    pub(crate) socket: std::net::TcpListener,
}

/// Listening sockets that this process got from others, to be used instead of
/// new ones.
#[derive(Default)]
pub(crate) struct InheritedSockets {
    /// From the previous process.
    pub(crate) handed: Vec<HandedSocket>,
    /// From the process that started this one.
    passed: Vec<HandedSocket>,
}

impl InheritedSockets {
    /// Takes the sockets that the process was started with: by systemd's socket
    /// units, by `systemfd`, or by another program with the same protocol
    /// (`LISTEN_FDS`). The first server of a process takes them all.
    pub(crate) fn from_environment() -> InheritedSockets {
        // The variables stay: to remove them while other threads run is unsound.
        #[cfg(unix)]
        static TAKEN: AtomicBool = AtomicBool::new(false);
        #[cfg(unix)]
        if !TAKEN.swap(true, Ordering::Relaxed) {
            let taken = descriptors(|name| std::env::var(name).ok()).map(take_passed);
            let tell = |error: &io::Error| {
                tracing::warn!(%error, "a socket that was passed to this process is not a TCP socket");
            };
            let passed = taken.filter_map(|socket| socket.inspect_err(tell).ok()).collect();
            return InheritedSockets { handed: Vec::new(), passed };
        }
        InheritedSockets::default()
    }

    /// Takes the socket for an address, if it is there. All addresses of IPv4 may
    /// be a part of a socket for all of IPv6, too, as systemd makes it of a
    /// port alone.
    pub(crate) fn take(&mut self, bind: &Bind) -> Option<std::net::TcpListener> {
        let wanted = bind.socket_address();
        // No socket listens at port 0.
        let is_meant = |it: &HandedSocket| [it.declared, it.address].contains(&wanted);
        let includes_it = |it: &HandedSocket| {
            wanted.ip() == Ipv4Addr::UNSPECIFIED
                && it.address == SocketAddr::from((Ipv6Addr::UNSPECIFIED, wanted.port()))
                && SockRef::from(&it.socket).only_v6().is_ok_and(|only_v6| !only_v6)
        };
        let take = |sockets: &mut Vec<HandedSocket>| {
            let exact = sockets.iter().position(is_meant);
            let index = exact.or_else(|| sockets.iter().position(includes_it))?;
            Some(sockets.remove(index).socket)
        };
        take(&mut self.handed).or_else(|| take(&mut self.passed))
    }

    /// Logs the sockets that no endpoint took.
    pub(crate) fn tell_rest(&self) {
        for HandedSocket { address, .. } in &self.passed {
            tracing::warn!(
                "no endpoint listens on {address}, whose socket was passed to this process"
            );
        }
        for HandedSocket { address, .. } in &self.handed {
            tracing::info!("no endpoint listens on {address} any more");
        }
    }
}

/// Returns the numbers of the descriptors that were passed to this process. Its
/// children see the same variables: `LISTEN_PID` tells who is meant, if the
/// program that passed them knew. (`systemfd --no-pid` sets none.)
#[cfg(unix)]
fn descriptors(variable: impl Fn(&str) -> Option<String>) -> Range<RawFd> {
    let number = |name| variable(name).and_then(|value| value.parse::<u16>().ok());
    let meant = variable("LISTEN_PID").filter(|process| !process.is_empty());
    let is_meant = meant.is_none_or(|process| process.parse() == Ok(std::process::id()));
    let count = number("LISTEN_FDS").filter(|_| is_meant).unwrap_or_default();
    let first = RawFd::from(number("LISTEN_FDS_FIRST_FD").unwrap_or(3));
    first..first + RawFd::from(count)
}

/// Takes the socket with this number.
#[cfg(unix)]
fn take_passed(number: RawFd) -> io::Result<HandedSocket> {
    let socket = socket2::Socket::from(descriptor::duplicate(number)?);
    let address = socket.local_addr()?.as_socket();
    let address = address.filter(|_| socket.r#type().is_ok_and(|it| it == Type::STREAM));
    let address = address.ok_or(io::ErrorKind::InvalidInput)?;
    // Child processes would inherit it.
    nix::unistd::close(number)?;
    Ok(HandedSocket { declared: address, address, socket: socket.into() })
}

/// Takes over a socket that already listens.
pub(crate) fn adopt(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// Listens on an address; must be called within a runtime.
///
/// IPv6 sockets don't take IPv4 connections, so that `*` and `[::]` can be used
/// side by side. On Unix, a port whose connections have just ended can be bound
/// again at once.
///
/// # Errors
///
/// The operating system refuses: the port is taken or not allowed, or the
/// address isn't one of this machine.
pub(crate) fn bind(bind: &Bind) -> io::Result<TcpListener> {
    let address = bind.socket_address();
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this would let other programs take over a port in use.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn passed_descriptors_are_for_the_process_that_is_meant() {
        let of = |variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.into());
            descriptors(value)
        };
        let own = std::process::id().to_string();
        assert!(of(&[]).is_empty());
        assert_eq!(of(&[("LISTEN_FDS", "2")]), 3..5);
        assert_eq!(of(&[("LISTEN_FDS", "2"), ("LISTEN_PID", "")]), 3..5);
        assert_eq!(of(&[("LISTEN_FDS", "2"), ("LISTEN_PID", &own)]), 3..5);
        assert_eq!(of(&[("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "7")]), 7..8);
        for process in ["1", "unknown", &format!("{own}0")] {
            assert!(of(&[("LISTEN_FDS", "2"), ("LISTEN_PID", process)]).is_empty());
        }
        for count in ["", "-1", "many", "4000000000"] {
            assert!(of(&[("LISTEN_FDS", count)]).is_empty());
        }
    }

    /// A passed socket for all addresses of IPv6.
    fn passed(only_v6: bool) -> (InheritedSockets, u16) {
        let socket = socket2::Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        socket.set_only_v6(only_v6).unwrap();
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).unwrap();
        socket.listen(1).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let passed = vec![HandedSocket { declared: address, address, socket: socket.into() }];
        (InheritedSockets { handed: Vec::new(), passed }, address.port())
    }

    #[test]
    fn a_passed_socket_for_ipv6_and_ipv4_is_for_all_addresses_of_either() {
        for host in ["*", "0.0.0.0", "[::]", "127.0.0.1", "[::1]"] {
            for only_v6 in [false, true] {
                let (mut sockets, port) = passed(only_v6);
                let taken = sockets.take(&format!("{host}:{port}").parse().unwrap());
                let is_meant = host == "[::]" || !only_v6 && ["*", "0.0.0.0"].contains(&host);
                assert_eq!(taken.is_some(), is_meant, "{host}, {only_v6}");
            }
        }
    }

    #[tokio::test]
    async fn who_comes_by_ipv4_to_a_socket_for_both_has_an_address_of_ipv4() {
        let (mut sockets, port) = passed(false);
        let socket = sockets.take(&format!("*:{port}").parse().unwrap()).unwrap();
        let mut listener = Listener::from(adopt(socket).unwrap());
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_port_is_bound_once() {
        let bound = bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = bound.local_addr().unwrap().to_string();
        assert_eq!(bind(&address.parse().unwrap()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn ipv6_and_ipv4_stand_side_by_side() {
        // Another program may hold by IPv4 a port that is free by IPv6.
        let both_bound = (0..10).any(|_| {
            let ipv6 = bind(&"[::]:0".parse().unwrap()).expect("this machine has IPv6");
            let port = ipv6.local_addr().unwrap().port();
            bind(&format!("*:{port}").parse().unwrap()).is_ok()
        });
        assert!(both_bound);
    }
}
