//! Stands in for PKCS#12 files where the feature `pfx` is off.

use std::path::Path;

use rustls::sign::CertifiedKey;

use super::Password;
use crate::base::error::CertificateError;

/// # Errors
///
/// Always: the feature is off.
pub(super) fn load_pfx(
    _: Option<&Path>,
    _: &Path,
    _: &Password,
) -> Result<CertifiedKey, CertificateError> {
    Err(CertificateError::PfxOff)
}
