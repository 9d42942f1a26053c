//! The credentials of an address, read from its files: what it shows to
//! clients, and asks of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pode_core::Bind;
use rustls::server::ResolvesServerCert;
use rustls::server::danger::ClientCertVerifier;

use super::sni_resolver::SniResolver;
use super::{
    Certificate, ClientAuthorities, Fingerprint, LoadedCertificate, UnusableFile, resolve,
};

/// Where the certificates of an address and the authorities of its clients come
/// from.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// The endpoint that names them, for the log.
    pub(crate) endpoint: String,
    pub(crate) certificate: Certificate,
    pub(crate) authorities: ClientAuthorities,
    /// The crate's folder, while developing.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) bind: Bind,
}

/// The credentials as read.
pub(crate) struct LoadedCredentials {
    /// At least one, if any is declared.
    pub(crate) certificates: Vec<LoadedCertificate>,
    pub(crate) clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Credentials {
    /// Returns the credentials of a certificate, for tests.
    #[cfg(test)]
    pub(crate) fn of(certificate: Certificate) -> Credentials {
        Credentials {
            endpoint: "https".to_owned(),
            certificate,
            authorities: ClientAuthorities::default(),
            folder: None,
            bind: "127.0.0.1:0".parse().expect("an address"),
        }
    }

    /// Returns the fingerprint of all files.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.folder(), self.files())
    }

    /// Reads the files. A certificate that the server generated is taken from
    /// `before`.
    pub(crate) fn read(
        &self,
        before: &[LoadedCertificate],
    ) -> Result<LoadedCredentials, UnusableFile> {
        let sources = self.certificate.sources.iter();
        let certificates = sources.map(|source| source.load(self.folder(), &self.bind, before));
        let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
        let clients = self.authorities.load(self.folder())?;
        Ok(LoadedCredentials { certificates, clients })
    }

    /// Returns the current paths of the files.
    pub(crate) fn paths(&self) -> BTreeSet<PathBuf> {
        self.files().map(|file| resolve(self.folder(), file)).collect()
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        self.certificate.files().chain(self.authorities.file())
    }

    fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

impl LoadedCredentials {
    /// Makes the resolver that chooses among the certificates.
    pub(crate) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::new(SniResolver::new(self.certificates.clone()))
    }
}
