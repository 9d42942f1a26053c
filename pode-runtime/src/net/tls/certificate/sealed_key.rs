//! Private keys that are encrypted by a password (PKCS#8, RFC 5958).

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::PrivatePkcs8KeyDer;
use x509_cert::der::Decode;
use x509_cert::der::asn1::AnyRef;
use zeroize::Zeroizing;

use crate::base::error::CertificateError;

/// Decrypts a key.
pub(super) fn unseal(
    sealed: &[u8],
    password: impl FnOnce() -> Option<Result<Zeroizing<String>, CertificateError>>,
) -> Result<PrivatePkcs8KeyDer<'static>, CertificateError> {
    use pkcs8::Error::EncryptedPrivateKey;
    use pkcs8::pkcs5::Error::{
        AlgorithmParametersInvalid, NoPbes1CryptSupport, UnsupportedAlgorithm,
    };

    let password = password().ok_or(CertificateError::KeyWithPassword)??;
    // A key that is whole but not understood is encrypted in some other way.
    let info = EncryptedPrivateKeyInfoRef::try_from(sealed).map_err(|_| {
        let whole = AnyRef::from_der(sealed).is_ok();
        if whole { CertificateError::KindOfEncryption } else { CertificateError::unreadable_key() }
    })?;
    let opened = info.decrypt(password.as_bytes()).map_err(|error| match error {
        EncryptedPrivateKey(
            AlgorithmParametersInvalid { .. } | UnsupportedAlgorithm { .. } | NoPbes1CryptSupport,
        ) => CertificateError::KindOfEncryption,
        // The padding or the decrypted content is wrong.
        _ => CertificateError::WrongPassword,
    })?;
    Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::certificate::key::from_pem;

    #[test]
    fn what_is_damaged_is_told_from_what_is_another_key() {
        let judge = |body: &str| {
            let file = format!(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----"
            );
            from_pem(file.as_bytes(), || Some(Ok("secret".to_owned().into()))).expect_err(body)
        };
        assert!(matches!(judge("no digits!"), CertificateError::NotPem { .. }));
        assert!(matches!(judge("MIGH"), CertificateError::NotPem { .. }), "it is cut off");
        assert!(matches!(judge("MAA="), CertificateError::KindOfEncryption), "it is empty");
        let endless = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n";
        let error = from_pem(endless, || None).expect_err("it has no end");
        assert!(matches!(error, CertificateError::NotPem { .. }));
    }
}
