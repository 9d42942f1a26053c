//! The authorities that must have signed a client's certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::load::{UnusableFile, load_chain};
use crate::base::error::CertificateError;

/// Whether clients of a secure endpoint present a certificate of their own, and
/// which authorities sign it.
///
/// Made by [`required`] or [`optional`]; by default the server asks for none.
/// Handlers get the certificate from
/// [`WebEvent::client_certificate`](crate::app::event::WebEvent::client_certificate)
/// and
/// [`ConnectEvent::client_certificate`](crate::app::event::ConnectEvent::client_certificate).
///
/// The file is PEM, with one or several authorities. Its path is resolved, and
/// it is read again when it changes, like that of a
/// [`Certificate`](super::Certificate). Existing connections are not checked
/// again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAuthorities {
    file: Option<PathBuf>,
    required: bool,
}

/// Accepts only clients with a certificate that one of the authorities in the
/// file has signed; with others the handshake fails.
pub fn required(file: impl Into<PathBuf>) -> ClientAuthorities {
    ClientAuthorities { file: Some(file.into()), required: true }
}

/// Accepts clients without a certificate, too. A certificate that none of the
/// authorities has signed is still refused.
pub fn optional(file: impl Into<PathBuf>) -> ClientAuthorities {
    ClientAuthorities { file: Some(file.into()), required: false }
}

impl ClientAuthorities {
    /// Declares that the file exists only at run time: the compiler doesn't
    /// look for it. At run time this has no effect.
    pub fn at_run_time(self) -> ClientAuthorities {
        self
    }

    pub(crate) fn is_none(&self) -> bool {
        self.file.is_none()
    }

    /// Returns the file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads the authorities; `None` if clients aren't asked for a certificate.
    pub(super) fn load(
        &self,
        folder: Option<&Path>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, UnusableFile> {
        let Some(file) = &self.file else { return Ok(None) };
        let blame = |reason| UnusableFile { file: file.display().to_string(), reason };
        let mut roots = RootCertStore::empty();
        for authority in load_chain(folder, file).map_err(blame)? {
            roots
                .add(authority)
                .map_err(|error| blame(CertificateError::NotPem { reason: error.to_string() }))?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = match self.required {
            true => verifier,
            false => verifier.allow_unauthenticated(),
        };
        // It fails without roots, and there is at least one.
        let verifier = verifier
            .build()
            .map_err(|error| blame(CertificateError::NotPem { reason: error.to_string() }))?;
        Ok(Some(verifier))
    }
}
