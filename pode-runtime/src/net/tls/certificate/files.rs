//! The files of certificates: where they are, and whether they have changed.
//!
//! In builds with debug assertions a path is relative to the crate's folder, if
//! there is such a file. Otherwise, and in every deployed build, it is relative
//! to the working directory.

use std::path::{Path, PathBuf};

use pode_core::pem::without_byte_order_marks;
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::base::error::CertificateError;

/// A digest of the contents of some files, to detect changes. It is not secret:
/// the contents can't be derived from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(Vec<Option<Vec<u8>>>);

impl Fingerprint {
    /// Returns the fingerprint of some files, in their order. All files that
    /// can't be read compare equal.
    pub(crate) fn of<'file>(
        folder: Option<&Path>,
        files: impl IntoIterator<Item = &'file Path>,
    ) -> Fingerprint {
        let fingerprint = |file: &Path| {
            let content = Zeroizing::new(std::fs::read(resolve(folder, file)).ok()?);
            Some(digest(&SHA256, &content).as_ref().to_vec())
        };
        Fingerprint(files.into_iter().map(fingerprint).collect())
    }
}

/// Reads a file, which may hold a secret.
pub(super) fn read(
    folder: Option<&Path>,
    file: &Path,
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let path = resolve(folder, file);
    std::fs::read(&path).map(Zeroizing::new).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            let path = std::path::absolute(&path).unwrap_or(path);
            CertificateError::Missing { path: path.display().to_string() }
        }
        _ => CertificateError::Unreadable { source },
    })
}

/// Reads a PEM file, which may hold a secret.
pub(super) fn read_pem(
    folder: Option<&Path>,
    file: &Path,
) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let content = read(folder, file)?;
    // It begins with a byte order mark in one order or the other.
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        let reason = "it is in UTF-16; save it as UTF-8".to_owned();
        return Err(CertificateError::NotPem { reason });
    }
    Ok(without_byte_order_marks(&content).into())
}

/// Returns the path of a file.
pub(crate) fn resolve(folder: Option<&Path>, file: &Path) -> PathBuf {
    let in_crate = folder.map(|folder| folder.join(file));
    in_crate.filter(|path| path.exists()).unwrap_or_else(|| file.to_owned())
}
