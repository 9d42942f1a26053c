//! Private keys in PEM files, with or without a password, and which certificate is
//! theirs.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::{Decode, Encode};
use zeroize::{Zeroize, Zeroizing};

use super::sealed_key::unseal;
use crate::base::error::CertificateError;

/// Stands in the head of a key that is encrypted as OpenSSL did before PKCS#8
/// (RFC 1421, section 4.6.1.1): by a single digest of the password. Somebody
/// who gets hold of the file can try passwords by the billion.
const OLD_ENCRYPTION: &[u8] = b"Proc-Type: 4,ENCRYPTED";

const BEGINNING: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";

/// Reads the first private key of a PEM file. Calls `password` only if the key
/// is encrypted (PKCS#8, RFC 5958).
pub(super) fn from_pem(
    content: &[u8],
    password: impl FnOnce() -> Option<Result<Zeroizing<String>, CertificateError>>,
) -> Result<Arc<dyn SigningKey>, CertificateError> {
    if position(content, OLD_ENCRYPTION).is_some() {
        return Err(CertificateError::OldEncryption);
    }
    let key = match PrivateKeyDer::from_pem_slice(content) {
        Ok(key) => key,
        Err(PemError::NoItemsFound) => {
            let sealed = sealed(content).ok_or(CertificateError::NoKey)??;
            unseal(&sealed, password)?.into()
        }
        // The text of the error may quote the file.
        Err(_) => return Err(CertificateError::unreadable_key()),
    };
    signing_key(key)
}

/// Makes a signing key.
pub(super) fn signing_key(
    mut key: PrivateKeyDer<'static>,
) -> Result<Arc<dyn SigningKey>, CertificateError> {
    let signing_key = any_supported_type(&key).map_err(|_| CertificateError::KindOfKey);
    key.zeroize();
    signing_key
}

/// Finds the certificate that a key belongs to.
pub(super) fn own_certificate(
    certificates: &[CertificateDer<'static>],
    key: &Arc<dyn SigningKey>,
) -> Result<usize, CertificateError> {
    let mut reason = CertificateError::OtherKey;
    for (index, certificate) in certificates.iter().enumerate() {
        let pair = CertifiedKey::new(vec![certificate.clone()], Arc::clone(key));
        match pair.keys_match() {
            Ok(()) => return Ok(index),
            Err(rustls::Error::InconsistentKeys(_)) => {}
            Err(_) => reason = why_unreadable(certificate, key).unwrap_or(reason),
        }
    }
    Err(reason)
}

/// Returns why rustls, as clients do, doesn't read a certificate; `None` if it
/// belongs to another key, so that it may be an authority's, which need not be
/// read.
fn why_unreadable(
    certificate: &CertificateDer<'_>,
    key: &Arc<dyn SigningKey>,
) -> Option<CertificateError> {
    let Ok(certificate) = Certificate::from_der(certificate) else {
        return Some(CertificateError::UnreadableCertificate);
    };
    let told = certificate.tbs_certificate();
    let its_key = told.subject_public_key_info().to_der().ok();
    let own_key = key.public_key().map(|own| own.to_vec());
    (its_key == own_key).then(|| match told.version() {
        Version::V1 => CertificateError::Version1,
        _ => CertificateError::UnreadableCertificate,
    })
}

/// Finds the first encrypted key; the inner error means that it is damaged.
fn sealed(content: &[u8]) -> Option<Result<Vec<u8>, CertificateError>> {
    let start = position(content, BEGINNING)? + BEGINNING.len();
    let body = &content[start..];
    let body = position(body, END).map(|end| &body[..end]);
    let digits = body.map(|body| {
        body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>()
    });
    Some(
        digits
            .and_then(|digits| BASE64_STANDARD.decode(digits).ok())
            .ok_or_else(CertificateError::unreadable_key),
    )
}

impl CertificateError {
    /// The error for a key that can't be read, without what the cause may quote
    /// of it.
    pub(super) fn unreadable_key() -> CertificateError {
        CertificateError::NotPem { reason: "a key in it can't be read".to_owned() }
    }
}

fn position(content: &[u8], mark: &[u8]) -> Option<usize> {
    content.windows(mark.len()).position(|window| window == mark)
}
