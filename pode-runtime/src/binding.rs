//! Binding: the addresses of a server's endpoints, each bound once.
//!
//! Endpoints that share an address share its socket and its certificate.
//! Accepting what comes is the listener's business.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use pode_core::Bind;
use socket2::{Domain, Protocol, Type};
use tokio::net::TcpListener;

use crate::StartError;
use crate::certificate::Unusable;
use crate::declared::Endpoint;
use crate::tls::Tls;

/// How many connections may wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 4096;

/// A bound socket and the endpoints that share it.
pub(crate) struct Bound<'declared> {
    pub(crate) endpoints: Vec<&'declared Endpoint>,
    pub(crate) tls: Option<Tls>,
    pub(crate) socket: TcpListener,
    pub(crate) address: SocketAddr,
}

/// Binds every address once, or none.
pub(crate) fn bind_all<'declared>(
    endpoints: &'declared [Endpoint],
    crate_folder: Option<&Path>,
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
        let bound = self::bind(&bind).and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, socket) = bound.map_err(|source| cannot_bind(endpoints[0], bind, source))?;
        Ok(Bound { endpoints, tls, socket, address })
    });
    bound.collect()
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

/// Reads the certificate of an address, which one of its endpoints names, or
/// all of them alike.
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
    let endpoint = namer.title();
    let certificate = match namer.certificate.load(crate_folder, bind) {
        Ok(Some(certificate)) => certificate,
        Ok(None) => return Err(StartError::NoCertificate { endpoint }),
        Err(Unusable { file, reason }) => {
            return Err(StartError::Certificate { endpoint, file, source: reason });
        }
    };
    let pages = endpoints.iter().any(|endpoint| !endpoint.protocol.serves_signals());
    Ok(Some(Tls::new(certificate, pages)))
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
