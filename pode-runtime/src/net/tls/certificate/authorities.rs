//! Whose signature makes a client's certificate good.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::load::{UnusableFile, load_chain};
use crate::base::error::CertificateError;

/// Whether clients of a secure endpoint show a certificate of their own, and
/// who signs it.
///
/// Made by [`required`] or [`optional`]; by default none is asked for. Handlers
/// see it by [`WebEvent::client_certificate`](crate::app::event::WebEvent::client_certificate)
/// and [`ConnectEvent::client_certificate`](crate::app::event::ConnectEvent::client_certificate).
///
/// The file is PEM, with one authority or several. It is found, and read again
/// when it changes, as that of a [`Certificate`](super::Certificate) is;
/// connections that are there already are not judged anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAuthorities {
    file: Option<PathBuf>,
    required: bool,
}

/// Lets in only clients with a certificate that one of the authorities in the
/// file has signed; with others the handshake fails.
pub fn required(file: impl Into<PathBuf>) -> ClientAuthorities {
    ClientAuthorities { file: Some(file.into()), required: true }
}

/// Lets in clients without a certificate, too. One that none of the authorities
/// has signed is refused all the same.
pub fn optional(file: impl Into<PathBuf>) -> ClientAuthorities {
    ClientAuthorities { file: Some(file.into()), required: false }
}

impl ClientAuthorities {
    /// Says that the file is only there at run time: the compiler doesn't look
    /// for it. At run time this changes nothing.
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

    /// Reads the authorities; `None` if no client is asked for a certificate.
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
