//! Private keys in PEM files, with a password or without.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;

use crate::error::CertificateError;

/// Stands in the head of a key that is encrypted as OpenSSL did it before there
/// was PKCS#8 (RFC 1421, section 4.6.1.1): by a digest of the password, made
/// once. Whoever gets hold of the file tries passwords by the billion.
const OLD_ENCRYPTION: &[u8] = b"Proc-Type: 4,ENCRYPTED";

const BEGINNING: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";

/// Reads the first private key of a PEM file. The password is asked for if the
/// key is encrypted (PKCS#8, RFC 5958).
pub(super) fn from_pem(
    content: &[u8],
    password: impl FnOnce() -> Option<Result<String, CertificateError>>,
) -> Result<Arc<dyn SigningKey>, CertificateError> {
    if position(content, OLD_ENCRYPTION).is_some() {
        return Err(CertificateError::OldEncryption);
    }
    let key = match PrivateKeyDer::from_pem_slice(content) {
        Ok(key) => key,
        Err(PemError::NoItemsFound) => {
            let sealed = sealed(content).ok_or(CertificateError::NoKey)??;
            let password = password().ok_or(CertificateError::KeyWithPassword)??;
            unseal(&sealed, &password)?.into()
        }
        // Its text may quote the file.
        Err(_) => return Err(unreadable()),
    };
    signing_key(key)
}

/// Makes a key that signs.
pub(super) fn signing_key(
    key: PrivateKeyDer<'static>,
) -> Result<Arc<dyn SigningKey>, CertificateError> {
    any_supported_type(&key).map_err(|_| CertificateError::KindOfKey)
}

/// Finds the first encrypted key; the inner error is one that is damaged.
fn sealed(content: &[u8]) -> Option<Result<Vec<u8>, CertificateError>> {
    let start = position(content, BEGINNING)? + BEGINNING.len();
    let body = &content[start..];
    let body = position(body, END).map(|end| &body[..end]);
    let digits = body.map(|body| {
        body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>()
    });
    Some(digits.and_then(|digits| BASE64_STANDARD.decode(digits).ok()).ok_or_else(unreadable))
}

fn unseal(sealed: &[u8], password: &str) -> Result<PrivatePkcs8KeyDer<'static>, CertificateError> {
    let info = EncryptedPrivateKeyInfoRef::try_from(sealed).map_err(|_| unreadable())?;
    let opened = info.decrypt(password).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::AlgorithmParametersInvalid {
            ..
        })
        | pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. })
        | pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::NoPbes1CryptSupport) => {
            CertificateError::KindOfEncryption
        }
        _ => CertificateError::WrongPassword,
    })?;
    Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()))
}

fn unreadable() -> CertificateError {
    CertificateError::NotPem { reason: "a key in it can't be read".to_owned() }
}

fn position(content: &[u8], mark: &[u8]) -> Option<usize> {
    content.windows(mark.len()).position(|window| window == mark)
}
