//! Binding: the addresses of a server's endpoints, each bound once.
//!
//! Endpoints that share an address share its socket and its certificate.
//! Accepting what comes is the listener's business.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use pode_core::Bind;
use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::base::error::StartError;
use crate::net::tls::certificate::{Credentials, Unusable};
use crate::net::tls::config::Tls;
use crate::server::declare::Endpoint;
use crate::server::restart::Handed;

/// How many connections may wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 4096;

/// A bound socket and the endpoints that share it.
pub(crate) struct Bound<'declared> {
    pub(crate) endpoints: Vec<&'declared Endpoint>,
    pub(crate) tls: Option<Tls>,
    pub(crate) socket: TcpListener,
    pub(crate) address: SocketAddr,
    /// What was declared, which may have port 0.
    pub(crate) declared: SocketAddr,
}

/// A socket that listens, and whether connections are taken from it.
#[derive(Debug)]
pub(crate) struct Listening {
    socket: TcpListener,
    /// Absent where they always are.
    accepting: Option<watch::Receiver<bool>>,
}

impl Listening {
    pub(crate) fn new(socket: TcpListener, accepting: watch::Receiver<bool>) -> Listening {
        Listening { socket, accepting: Some(accepting) }
    }

    /// Waits for the next connection, as long as any are taken. Cancel safe.
    pub(crate) async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let Some(accepting) = &mut self.accepting else { return self.socket.accept().await };
        loop {
            if accepting.wait_for(|accepting| *accepting).await.is_err() {
                return self.socket.accept().await;
            }
            tokio::select! {
                biased;
                Ok(()) = accepting.changed() => {}
                accepted = self.socket.accept() => return accepted,
            }
        }
    }
}

impl From<TcpListener> for Listening {
    fn from(socket: TcpListener) -> Listening {
        Listening { socket, accepting: None }
    }
}

/// Listening sockets that this process got from others, to be used in the place
/// of new ones.
#[derive(Default)]
pub(crate) struct Inherited {
    /// From the process before this one.
    pub(crate) handed: Vec<Handed>,
    /// From whoever started this one, with their addresses.
    passed: Vec<(SocketAddr, std::net::TcpListener)>,
}

impl Inherited {
    /// Takes what the process was started with: by systemd's socket units, by
    /// `systemfd`, or whatever else speaks as they do (`LISTEN_FDS`).
    pub(crate) fn from_environment() -> Inherited {
        let mut passed = Vec::new();
        #[cfg(unix)]
        {
            let mut descriptors = listenfd::ListenFd::from_env();
            for index in 0..descriptors.len() {
                let taken = descriptors.take_tcp_listener(index);
                let known = taken.and_then(|socket| {
                    let Some(socket) = socket else { return Ok(None) };
                    Ok(Some((socket.local_addr()?, socket)))
                });
                match known {
                    Ok(socket) => passed.extend(socket),
                    Err(error) => {
                        tracing::warn!(%error, "a socket that was passed to this process is no TCP one");
                    }
                }
            }
        }
        Inherited { handed: Vec::new(), passed }
    }

    /// Takes the socket for an address, if it is there.
    fn take(&mut self, bind: &Bind) -> Option<std::net::TcpListener> {
        let wanted = bind.socket_address();
        let has_port = wanted.port() != 0;
        let is_handed =
            |handed: &Handed| handed.declared == wanted || has_port && handed.address == wanted;
        if let Some(index) = self.handed.iter().position(is_handed) {
            return Some(self.handed.remove(index).socket);
        }
        let is_passed = |passed: &(SocketAddr, _)| has_port && passed.0 == wanted;
        let index = self.passed.iter().position(is_passed)?;
        Some(self.passed.remove(index).1)
    }

    /// Tells the log what nobody took.
    fn tell_rest(&self) {
        for (address, _) in &self.passed {
            tracing::warn!(
                "no endpoint listens on {address}, whose socket was passed to this process"
            );
        }
        for Handed { address, .. } in &self.handed {
            tracing::info!("no endpoint listens on {address} any more");
        }
    }
}

/// Binds every address once, or none. Those for which there is a socket are
/// bound already.
pub(crate) fn bind_all<'declared>(
    endpoints: &'declared [Endpoint],
    crate_folder: Option<&Path>,
    mut inherited: Inherited,
) -> Result<Vec<Bound<'declared>>, StartError> {
    let shared = share_addresses(endpoints)?;
    // Certificates come first, so that a client never finds an open port whose
    // server then doesn't start.
    let prepared = shared
        .into_iter()
        .map(|(bind, endpoints)| {
            Ok((prepare_tls(crate_folder, &bind, &endpoints)?, bind, endpoints))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let bound = prepared.into_iter().map(|(tls, bind, endpoints)| {
        let socket = match inherited.take(&bind) {
            Some(socket) => adopt(socket),
            None => self::bind(&bind),
        };
        let bound = socket.and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, socket) = bound.map_err(|source| cannot_bind(endpoints[0], bind, source))?;
        Ok(Bound { endpoints, tls, socket, address, declared: bind.socket_address() })
    });
    let bound = bound.collect::<Result<Vec<_>, _>>()?;
    inherited.tell_rest();
    Ok(bound)
}

/// Takes a socket that listens already.
fn adopt(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// Finds out which endpoints listen at one address. Different protocols may
/// share it, also that of port 0, if both or neither are behind TLS; two of
/// one protocol never do.
fn share_addresses(endpoints: &[Endpoint]) -> Result<Vec<(Bind, Vec<&Endpoint>)>, StartError> {
    let mut shared: Vec<(Bind, Vec<&Endpoint>)> = Vec::new();
    for endpoint in endpoints {
        let bind = endpoint
            .address
            .bind()
            .map_err(|reason| StartError::Address { endpoint: endpoint.title(), reason })?;
        let found = shared.iter_mut().find(|(other, endpoints)| {
            let shares = |other: &&Endpoint| other.protocol.shares_address_with(endpoint.protocol);
            other.same(&bind) && endpoints.iter().all(shares)
        });
        match found {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => shared.push((bind, vec![endpoint])),
        }
    }
    Ok(shared)
}

/// Reads the certificate of an address, and whose clients it lets in, which one
/// of its endpoints names, or all of them alike.
fn prepare_tls(
    crate_folder: Option<&Path>,
    bind: &Bind,
    endpoints: &[&Endpoint],
) -> Result<Option<Tls>, StartError> {
    // They are all behind TLS, or none is.
    if !endpoints[0].protocol.is_secure() {
        return Ok(None);
    }
    let mut named = endpoints.iter().filter(|endpoint| !endpoint.certificate.is_none());
    let namer = named.next().unwrap_or(&endpoints[0]);
    if let Some(other) = named.find(|other| other.certificate != namer.certificate) {
        return Err(StartError::OtherCertificate { endpoint: other.title() });
    }
    let mut asking = endpoints.iter().filter(|endpoint| !endpoint.authorities.is_none());
    let authorities = asking.next().map(|endpoint| endpoint.authorities.clone());
    let authorities = authorities.unwrap_or_default();
    if let Some(other) = asking.find(|other| other.authorities != authorities) {
        return Err(StartError::OtherClientCertificate { endpoint: other.title() });
    }
    let endpoint = namer.title();
    if namer.certificate.is_none() {
        return Err(StartError::NoCertificate { endpoint });
    }
    let credentials = Credentials {
        endpoint: endpoint.clone(),
        certificate: namer.certificate.clone(),
        authorities,
        folder: crate_folder.map(Path::to_owned),
        bind: *bind,
    };
    let pages = endpoints.iter().any(|endpoint| !endpoint.protocol.serves_signals());
    let tls = Tls::new(credentials, pages);
    let tls = tls.map_err(|Unusable { file, reason }| StartError::Certificate {
        endpoint,
        file,
        source: reason,
    })?;
    Ok(Some(tls))
}

fn cannot_bind(endpoint: &Endpoint, bind: Bind, source: io::Error) -> StartError {
    let (endpoint, address) = (endpoint.title(), bind.to_string());
    match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse { endpoint, address },
        _ => StartError::Bind { endpoint, address, source },
    }
}

/// Listens on an address; must be called within a runtime.
///
/// IPv6 addresses don't take IPv4 connections, so that `*` and `[::]` can
/// stand side by side. On Unix, a port whose connections have just ended can
/// be bound again at once.
///
/// # Errors
///
/// The operating system refuses: the port is taken or not allowed, or the
/// address isn't one of this machine.
pub(crate) fn bind(bind: &Bind) -> io::Result<TcpListener> {
    let address = bind.socket_address();
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this would let others take over a port that is in use.
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
        // Others may have taken a port by IPv4 that is free by IPv6.
        let both_bound = (0..10).any(|_| {
            // Without IPv6 on this machine there is nothing to show.
            let Ok(ipv6) = bind(&"[::]:0".parse().unwrap()) else { return true };
            let port = ipv6.local_addr().unwrap().port();
            bind(&format!("*:{port}").parse().unwrap()).is_ok()
        });
        assert!(both_bound);
    }
}
