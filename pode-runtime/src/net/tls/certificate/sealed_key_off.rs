//! Stands in for keys with a password where the feature `encrypted-keys` is off.

use rustls::pki_types::PrivatePkcs8KeyDer;

use zeroize::Zeroizing;

use crate::base::error::CertificateError;

/// # Errors
///
/// Always: the feature is off.
pub(super) fn unseal(
    _: &[u8],
    _: impl FnOnce() -> Option<Result<Zeroizing<String>, CertificateError>>,
) -> Result<PrivatePkcs8KeyDer<'static>, CertificateError> {
    Err(CertificateError::EncryptedKeysOff)
}
