//! Certificates read from their files, with their keys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use pode_core::{Bind, CertificateNames};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use super::expiry::{ExpiryNotice, Validity};
use super::files::read_pem;
use super::key::{self, own_certificate, signing_key};
use super::pfx::load_pfx;
use super::{CertificateSource, Password};
use crate::base::error::CertificateError;

/// A certificate as it is shown to clients.
#[derive(Clone, Debug)]
pub(crate) struct LoadedCertificate {
    /// The file that it was read from, as written, or the function that
    /// generated it.
    pub(crate) file: String,
    pub(crate) pair: Arc<CertifiedKey>,
    /// `None` if only rustls can read it.
    pub(crate) names: Option<CertificateNames>,
    /// Its validity, and that of the certificates that signed it.
    pub(crate) validities: Vec<Validity>,
}

/// Why a certificate can't be used, and the file at fault.
#[derive(Debug)]
pub(crate) struct UnusableFile {
    pub(crate) file: String,
    pub(crate) reason: CertificateError,
}

/// Stands for the file of a certificate that was generated here.
const SELF_SIGNED: &str = "self_signed()";

impl CertificateSource {
    /// Reads the certificate and its key, and checks that they belong together.
    /// `folder` is the crate's, while developing. A certificate that was
    /// generated here is taken from `before`.
    pub(super) fn load(
        &self,
        folder: Option<&Path>,
        bind: &Bind,
        before: &[LoadedCertificate],
    ) -> Result<LoadedCertificate, UnusableFile> {
        let blame = |file: &Path| {
            let file = file.display().to_string();
            |reason| UnusableFile { file, reason }
        };
        let (file, pair) = match self {
            CertificateSource::Pfx { file, password } => {
                (file.as_path(), load_pfx(folder, file, password).map_err(blame(file))?)
            }
            CertificateSource::Pem { chain, key, password } => {
                let certificates = load_chain(folder, chain).map_err(blame(chain))?;
                let signing_key = load_key(folder, key, password.as_ref()).map_err(blame(key))?;
                let own = own_certificate(&certificates, &signing_key);
                match own {
                    Ok(0) => (chain.as_path(), CertifiedKey::new(certificates, signing_key)),
                    Ok(_) => return Err(blame(chain)(CertificateError::OtherFirst)),
                    Err(reason @ CertificateError::OtherKey) => return Err(blame(key)(reason)),
                    Err(reason) => return Err(blame(chain)(reason)),
                }
            }
            CertificateSource::SelfSigned => {
                if let Some(made) = before.iter().find(|shown| shown.file == SELF_SIGNED) {
                    return Ok(made.clone());
                }
                let file = Path::new(SELF_SIGNED);
                (file, make_self_signed(bind).map_err(blame(file))?)
            }
        };
        Ok(LoadedCertificate::new(file.display().to_string(), pair))
    }
}

impl LoadedCertificate {
    pub(super) fn new(file: String, pair: CertifiedKey) -> LoadedCertificate {
        let names = pair.cert.first().and_then(|own| CertificateNames::of(own));
        let validities =
            pair.cert.iter().filter_map(|certificate| Validity::of(certificate)).collect();
        LoadedCertificate { file, pair: Arc::new(pair), names, validities }
    }

    /// Returns what the log has to say of it at a time.
    pub(crate) fn notices(&self, now: Timestamp) -> impl Iterator<Item = ExpiryNotice> {
        self.validities.iter().filter_map(move |validity| validity.notice(&self.file, now))
    }
}

/// Reads the certificates of a PEM file; there is at least one.
pub(crate) fn load_chain(
    folder: Option<&Path>,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let content = read_pem(folder, file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let certificates =
        certificates.map_err(|error| CertificateError::NotPem { reason: error.to_string() })?;
    if certificates.is_empty() { Err(CertificateError::NoCertificate) } else { Ok(certificates) }
}

fn load_key(
    folder: Option<&Path>,
    file: &Path,
    password: Option<&Password>,
) -> Result<Arc<dyn SigningKey>, CertificateError> {
    let content = read_pem(folder, file)?;
    key::from_pem(&content, || password.map(|password| password.read(folder)))
}

fn make_self_signed(bind: &Bind) -> Result<CertifiedKey, CertificateError> {
    let mut names = vec!["localhost".to_owned()];
    let local = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    let own = bind.socket_address().ip();
    let own = (!own.is_unspecified() && !local.contains(&own)).then_some(own);
    names.extend(local.into_iter().chain(own).map(|ip| ip.to_string()));

    let unmade = |error: rcgen::Error| CertificateError::Unmade { reason: error.to_string() };
    let key = KeyPair::generate().map_err(unmade)?;
    let mut parameters = CertificateParams::new(names).map_err(unmade)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "pode, self-signed");
    parameters.distinguished_name = name;
    let certificate = parameters.self_signed(&key).map_err(unmade)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok(CertifiedKey::new(vec![certificate.into()], signing_key(key.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_our_own_making_knows_its_address() {
        let address = "192.0.2.7:443".parse().expect("an address");
        let made = CertificateSource::SelfSigned.load(None, &address, &[]).expect("a certificate");
        made.pair.keys_match().expect("its key");
        let names = made.pair.end_entity_cert().expect("a certificate");
        for name in [&b"localhost"[..], &[127, 0, 0, 1], &[192, 0, 2, 7]] {
            assert!(names.windows(name.len()).any(|window| window == name), "{name:?}");
        }
        assert_eq!(made.names.as_ref().expect("it can be read").names(), ["localhost"]);

        let again = CertificateSource::SelfSigned.load(None, &address, std::slice::from_ref(&made));
        let again = again.expect("the same certificate");
        assert!(Arc::ptr_eq(&again.pair, &made.pair), "who trusts it goes on trusting it");
    }
}
