//! The root certificates that an upstream behind TLS is verified by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::base::error::{CertificateError, StartError};
use crate::net::tls::certificate::load_chain;

/// The root certificates to trust for an upstream behind TLS.
///
/// Files are PEM, with one or several certificates, and are read when the
/// server starts. A path is resolved like that of a
/// [`certificate`](crate::net::tls::certificate).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// Those that the operating system trusts.
    #[default]
    SystemRoots,

    /// Those that the operating system trusts, and those in the file.
    SystemRootsAnd(PathBuf),

    /// Those in the file, and no others: for a server whose certificates come
    /// from a private authority.
    RootsOf(PathBuf),
}

/// Makes [`Roots::SystemRootsAnd`] from a PEM file.
pub fn system_roots_and(file: impl Into<PathBuf>) -> Roots {
    Roots::SystemRootsAnd(file.into())
}

/// Makes [`Roots::RootsOf`] from a PEM file.
pub fn roots_of(file: impl Into<PathBuf>) -> Roots {
    Roots::RootsOf(file.into())
}

impl Roots {
    /// Reads the roots. `folder` is the crate's, while developing.
    ///
    /// # Errors
    ///
    /// The file can't be used, or there are no roots at all.
    pub(super) fn connector(
        &self,
        upstream: &'static str,
        folder: Option<&Path>,
    ) -> Result<TlsConnector, StartError> {
        let mut roots = RootCertStore::empty();
        if let Roots::SystemRoots | Roots::SystemRootsAnd(_) = self {
            let found = rustls_native_certs::load_native_certs();
            for error in found.errors {
                tracing::warn!(
                    "upstream `{upstream}`: some roots of the system are left out: {error}"
                );
            }
            // Some of the system's certificates may be too odd for rustls.
            roots.add_parsable_certificates(found.certs);
        }
        if let Roots::SystemRootsAnd(file) | Roots::RootsOf(file) = self {
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
        Ok(TlsConnector::from(Arc::new(config)))
    }
}
