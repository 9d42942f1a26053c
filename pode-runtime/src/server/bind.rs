//! Binding: the addresses of a server's endpoints, each bound once.
//!
//! Endpoints that share an address share its socket and its certificate.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use pode_core::Bind;
use tokio::net::TcpListener;

use crate::base::error::StartError;
use crate::net::listen::{self, InheritedSockets};
use crate::net::tls::certificate::Credentials;
use crate::net::tls::config::Tls;
use crate::server::declare::Endpoint;

/// A bound socket and the endpoints that share it.
pub(crate) struct BoundSocket<'declared> {
    pub(crate) endpoints: Vec<&'declared Endpoint>,
    pub(crate) tls: Option<Tls>,
    pub(crate) socket: TcpListener,
    pub(crate) address: SocketAddr,
    /// The declared address, which may have port 0.
    pub(crate) declared: SocketAddr,
}

/// Binds every address once, or none. Addresses with an inherited socket are
/// bound already.
pub(crate) fn bind_all<'declared>(
    endpoints: &'declared [Endpoint],
    crate_folder: Option<&Path>,
    mut inherited: InheritedSockets,
) -> Result<Vec<BoundSocket<'declared>>, StartError> {
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
            Some(socket) => listen::adopt(socket),
            None => listen::bind(&bind),
        };
        let bound = socket.and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, socket) = bound.map_err(|source| cannot_bind(endpoints[0], bind, source))?;
        Ok(BoundSocket { endpoints, tls, socket, address, declared: bind.socket_address() })
    });
    let bound = bound.collect::<Result<Vec<_>, _>>()?;
    inherited.tell_rest();
    Ok(bound)
}

/// Groups endpoints by address. Different protocols may share an address, even
/// one with port 0, if both or neither use TLS; two endpoints of one protocol
/// never share one.
pub(crate) fn share_addresses(
    endpoints: &[Endpoint],
) -> Result<Vec<(Bind, Vec<&Endpoint>)>, StartError> {
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

/// Reads the certificate and the client authorities of an address. One of its
/// endpoints names them, or several name the same.
fn prepare_tls(
    crate_folder: Option<&Path>,
    bind: &Bind,
    endpoints: &[&Endpoint],
) -> Result<Option<Tls>, StartError> {
    // All of them use TLS, or none does.
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
        endpoint,
        certificate: namer.certificate.clone(),
        authorities,
        folder: crate_folder.map(Path::to_owned),
        bind: *bind,
    };
    let pages = endpoints.iter().any(|endpoint| !endpoint.protocol.serves_signals());
    Tls::new(credentials, pages).map(Some)
}

fn cannot_bind(endpoint: &Endpoint, bind: Bind, source: io::Error) -> StartError {
    let (endpoint, address) = (endpoint.title(), bind.to_string());
    match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse { endpoint, address },
        _ => StartError::Bind { endpoint, address, source },
    }
}
