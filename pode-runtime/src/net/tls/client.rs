//! TLS to another server.

use std::fmt::Arguments;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError as Refused, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::load_chain;
use crate::base::error::CertificateError;
#[cfg(feature = "upstream")]
use crate::base::error::StartError;
use crate::net::roots::Roots;

/// What is needed to speak TLS as a client.
pub(crate) struct TlsClient(TlsConnector);

/// Why there is nothing to trust.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    #[error("the roots in `{file}` can't be used")]
    File { file: String, source: CertificateError },

    #[error(
        "this system has no root certificates; install some, or name a file by `roots: \
         roots_of(\"root.pem\")`"
    )]
    None,
}

/// Why there is no TLS with a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("TLS with `{host}` failed")]
    Failed { host: String, source: io::Error },

    #[error(
        "no root that is trusted here has issued the certificate of `{host}`; the option `roots` \
         can name another, as in `roots: roots_of(\"authority.pem\")`"
    )]
    Untrusted { host: String, source: io::Error },
}

impl TlsClient {
    /// Reads the roots; the log names who trusts them. `folder` is the crate's, while
    /// developing.
    ///
    /// # Errors
    ///
    /// The file can't be used, or there are no roots at all.
    pub(crate) fn new(
        trusted: &Roots,
        whose: Arguments<'_>,
        folder: Option<&Path>,
    ) -> Result<TlsClient, RootsError> {
        let mut roots = RootCertStore::empty();
        if let Roots::SystemRoots | Roots::SystemRootsAnd(_) = trusted {
            let found = rustls_native_certs::load_native_certs();
            for error in found.errors {
                tracing::warn!("{whose}: some roots of the system are left out: {error}");
            }
            // Some of the system's certificates may be too odd for rustls.
            roots.add_parsable_certificates(found.certs);
        }
        if let Roots::SystemRootsAnd(file) | Roots::RootsOf(file) = trusted {
            let unusable = |source| RootsError::File { file: file.display().to_string(), source };
            for certificate in load_chain(folder, file).map_err(unusable)? {
                roots.add(certificate).map_err(|error| {
                    unusable(CertificateError::NotPem { reason: error.to_string() })
                })?;
            }
        }
        if roots.is_empty() {
            return Err(RootsError::None);
        }
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring's cipher suites are for both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsClient(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands with the server of that name.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, TlsError> {
        let failed = |source| {
            let host = host.to_owned();
            match is_of_unknown_issuer(&source) {
                true => TlsError::Untrusted { host, source },
                false => TlsError::Failed { host, source },
            }
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other);
        self.0.connect(name.map_err(failed)?, stream).await.map_err(failed)
    }
}

#[cfg(feature = "upstream")]
impl RootsError {
    pub(crate) fn of_upstream(self, upstream: &'static str) -> StartError {
        match self {
            RootsError::File { file, source } => StartError::Roots { upstream, file, source },
            RootsError::None => StartError::NoRoots { upstream },
        }
    }
}

/// Whether a handshake failed because no root leads to the server's certificate.
fn is_of_unknown_issuer(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(rustls::Error::InvalidCertificate(Refused::UnknownIssuer)))
}
