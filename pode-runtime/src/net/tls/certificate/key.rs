//! Private keys in PEM files, with or without a password.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;
use x509_cert::der::Decode;
use x509_cert::der::asn1::AnyRef;

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
        // The text of the error may quote the file.
        Err(_) => return Err(unreadable()),
    };
    signing_key(key)
}

/// Makes a signing key.
pub(super) fn signing_key(
    key: PrivateKeyDer<'static>,
) -> Result<Arc<dyn SigningKey>, CertificateError> {
    any_supported_type(&key).map_err(|_| CertificateError::KindOfKey)
}

/// Finds the first encrypted key; the inner error means that it is damaged.
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
    use pkcs8::Error::EncryptedPrivateKey;
    use pkcs8::pkcs5::Error::{
        AlgorithmParametersInvalid, NoPbes1CryptSupport, UnsupportedAlgorithm,
    };

    // A key that is whole but not understood is encrypted in some other way.
    let info = EncryptedPrivateKeyInfoRef::try_from(sealed).map_err(|_| {
        let whole = AnyRef::from_der(sealed).is_ok();
        if whole { CertificateError::KindOfEncryption } else { unreadable() }
    })?;
    let opened = info.decrypt(password).map_err(|error| match error {
        EncryptedPrivateKey(
            AlgorithmParametersInvalid { .. } | UnsupportedAlgorithm { .. } | NoPbes1CryptSupport,
        ) => CertificateError::KindOfEncryption,
        // The padding or the decrypted content is wrong.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_told_from_what_is_another_key() {
        let judge = |body: &str| {
            let file = format!(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----"
            );
            from_pem(file.as_bytes(), || Some(Ok("secret".to_owned()))).expect_err(body)
        };
        assert!(matches!(judge("no digits!"), CertificateError::NotPem { .. }));
        assert!(matches!(judge("MIGH"), CertificateError::NotPem { .. }), "it is cut off");
        assert!(matches!(judge("MAA="), CertificateError::KindOfEncryption), "it is empty");
        let endless = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n";
        let error = from_pem(endless, || None).expect_err("it has no end");
        assert!(matches!(error, CertificateError::NotPem { .. }));
    }
}
