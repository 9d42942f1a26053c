//! Certificates in PKCS#12 form (RFC 7292), with their key.

use std::path::Path;

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as Pkcs12Error;
use pode_core::ber::{content_to_der, to_der};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::Password;
use super::files::read;
use super::key::{own_certificate, signing_key};
use crate::base::error::CertificateError;

pub(super) fn load_pfx(
    folder: Option<&Path>,
    file: &Path,
    password: &Password,
) -> Result<CertifiedKey, CertificateError> {
    let content = read(folder, file)?;
    let password = password.read(folder)?;
    let archive = open(&content, &password).map_err(|error| match error {
        Pkcs12Error::MacError(_) | Pkcs12Error::UnpadError => CertificateError::WrongPassword,
        other => CertificateError::NotPkcs12 { reason: other.to_string() },
    })?;
    if archive.certs.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    if archive.keys.is_empty() {
        return Err(CertificateError::NoKey);
    }
    let mut certificates: Vec<CertificateDer<'static>> =
        archive.certs.iter().map(|bag| bag.cert.as_der().to_vec().into()).collect();
    let mut reason = CertificateError::OtherKey;
    for bag in &archive.keys {
        let key = PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec());
        let key = signing_key(key.into())?;
        match own_certificate(&certificates, &key) {
            Ok(own) => {
                // The bags may be in any order; TLS wants the server's own first.
                certificates[..=own].rotate_right(1);
                return Ok(CertifiedKey::new(certificates, key));
            }
            Err(CertificateError::OtherKey) => {}
            Err(other) => reason = other,
        }
    }
    Err(reason)
}

/// Decrypts a file, which may be in BER.
fn open(file: &[u8], password: &str) -> Result<Pkcs12Archive, Pkcs12Error> {
    let der = to_der(file).map(Zeroizing::new);
    let der = der.as_deref().map_or(file, Vec::as_slice);
    let opened = Pkcs12Archive::from_pkcs12(der, password);
    if let Err(Pkcs12Error::DerError(_)) = opened
        && let Some(der) = content_to_der(der)
    {
        // Its MAC, which comes first, is right, but is that of content in BER.
        return Pkcs12Archive::from_pkcs12(&Zeroizing::new(der), password);
    }
    opened
}
