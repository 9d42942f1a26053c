//! Certificates in PKCS#12 form (RFC 7292), with their key.

use std::path::Path;

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as Pkcs12Error;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::Password;
use super::files::read;
use super::key::signing_key;
use crate::base::error::CertificateError;

pub(super) fn load_pfx(
    folder: Option<&Path>,
    file: &Path,
    password: &Password,
) -> Result<CertifiedKey, CertificateError> {
    let content = read(folder, file)?;
    let password = password.read(folder)?;
    let archive = Pkcs12Archive::from_pkcs12(&content, &password).map_err(|error| match error {
        Pkcs12Error::MacError(_) | Pkcs12Error::UnpadError => CertificateError::WrongPassword,
        other => CertificateError::NotPkcs12 { reason: other.to_string() },
    })?;
    if archive.certs.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    if archive.keys.is_empty() {
        return Err(CertificateError::NoKey);
    }
    let certificates: Vec<CertificateDer<'static>> =
        archive.certs.iter().map(|bag| bag.cert.as_der().to_vec().into()).collect();
    for bag in &archive.keys {
        let key = PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec());
        let key = signing_key(key.into())?;
        // The bags may be in any order; TLS wants the server's own first.
        for own in 0..certificates.len() {
            let mut chain = certificates.clone();
            chain[..=own].rotate_right(1);
            let pair = CertifiedKey::new(chain, key.clone());
            if pair.keys_match().is_ok() {
                return Ok(pair);
            }
        }
    }
    Err(CertificateError::OtherKey)
}
