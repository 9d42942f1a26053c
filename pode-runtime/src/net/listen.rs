//! Listening sockets: bound here, or inherited from another process.

use std::io;
use std::net::SocketAddr;

use pode_core::Bind;
use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How many connections may wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 4096;

/// A listening socket, and whether connections are accepted from it.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    accepting: watch::Receiver<bool>,
}

impl Listener {
    pub(crate) fn new(socket: TcpListener, accepting: watch::Receiver<bool>) -> Listener {
        Listener { socket, accepting }
    }

    /// Waits for the next connection while accepting is on. Cancel safe.
    pub(crate) async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            if self.accepting.wait_for(|accepting| *accepting).await.is_err() {
                return self.socket.accept().await;
            }
            tokio::select! {
                biased;
                Ok(()) = self.accepting.changed() => {}
                accepted = self.socket.accept() => return accepted,
            }
        }
    }
}

/// Connections are always accepted.
#[cfg(test)]
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Listener {
        Listener::new(socket, watch::channel(true).1)
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
    /// (`LISTEN_FDS`).
    pub(crate) fn from_environment() -> InheritedSockets {
        let mut passed = Vec::new();
        #[cfg(unix)]
        {
            let mut descriptors = listenfd::ListenFd::from_env();
            for index in 0..descriptors.len() {
                let taken = descriptors.take_tcp_listener(index);
                let known = taken.and_then(|socket| {
                    let Some(socket) = socket else { return Ok(None) };
                    let address = socket.local_addr()?;
                    Ok(Some(HandedSocket { declared: address, address, socket }))
                });
                match known {
                    Ok(socket) => passed.extend(socket),
                    Err(error) => {
                        tracing::warn!(%error, "a socket that was passed to this process is not a TCP socket");
                    }
                }
            }
        }
        InheritedSockets { handed: Vec::new(), passed }
    }

    /// Takes the socket for an address, if it is there.
    pub(crate) fn take(&mut self, bind: &Bind) -> Option<std::net::TcpListener> {
        let wanted = bind.socket_address();
        // No socket listens at port 0.
        let is_meant = |it: &HandedSocket| [it.declared, it.address].contains(&wanted);
        let take = |sockets: &mut Vec<HandedSocket>| {
            let index = sockets.iter().position(is_meant)?;
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
