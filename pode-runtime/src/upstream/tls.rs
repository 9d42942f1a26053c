//! TLS to another server.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError as Refused, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::roots::Roots;
use crate::base::error::{CertificateError, StartError};
use crate::net::tls::certificate::load_chain;
use crate::net::upgraded::AnyStream;

/// What is needed to speak TLS as a client.
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Reads the roots. `folder` is the crate's, while developing.
    ///
    /// # Errors
    ///
    /// The file can't be used, or there are no roots at all.
    pub(super) fn new(
        trusted: &Roots,
        upstream: &'static str,
        folder: Option<&Path>,
    ) -> Result<Tls, StartError> {
        let mut roots = RootCertStore::empty();
        if let Roots::SystemRoots | Roots::SystemRootsAnd(_) = trusted {
            let found = rustls_native_certs::load_native_certs();
            for error in found.errors {
                tracing::warn!(
                    "upstream `{upstream}`: some roots of the system are left out: {error}"
                );
            }
            // Some of the system's certificates may be too odd for rustls.
            roots.add_parsable_certificates(found.certs);
        }
        if let Roots::SystemRootsAnd(file) | Roots::RootsOf(file) = trusted {
            let unusable =
                |source| StartError::Roots { upstream, file: file.display().to_string(), source };
            for certificate in load_chain(folder, file).map_err(unusable)? {
                roots.add(certificate).map_err(|error| {
                    unusable(CertificateError::NotPem { reason: error.to_string() })
                })?;
            }
        }
        if roots.is_empty() {
            return Err(StartError::NoRoots { upstream });
        }
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring's cipher suites are for both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Tls(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands with the server of that name.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<Box<dyn AnyStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(self.0.connect(name, stream).await?))
    }
}

/// Whether a handshake failed because no root leads to the server's certificate.
pub(super) fn is_of_unknown_issuer(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(rustls::Error::InvalidCertificate(Refused::UnknownIssuer)))
}
