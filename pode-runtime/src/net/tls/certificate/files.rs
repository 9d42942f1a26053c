//! The files of certificates: where they are, and whether they have changed.
//!
//! A path is relative to the crate's folder in builds with debug assertions, if
//! there is such a file, and to the working directory otherwise, as it is for
//! every build that is deployed.

use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use crate::base::error::CertificateError;

/// What some files held, to see whether they hold something else by now. It is
/// no secret: what they held can't be found out by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(Vec<Option<Vec<u8>>>);

impl Fingerprint {
    /// Takes the print of some files, in their order. One that can't be read is
    /// none like another.
    pub(crate) fn of<'file>(
        folder: Option<&Path>,
        files: impl IntoIterator<Item = &'file Path>,
    ) -> Fingerprint {
        let fingerprint = |file: &Path| {
            let content = std::fs::read(resolve(folder, file)).ok()?;
            Some(digest(&SHA256, &content).as_ref().to_vec())
        };
        Fingerprint(files.into_iter().map(fingerprint).collect())
    }
}

/// Reads a file.
pub(super) fn read(folder: Option<&Path>, file: &Path) -> Result<Vec<u8>, CertificateError> {
    let path = resolve(folder, file);
    std::fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            let path = std::path::absolute(&path).unwrap_or(path);
            CertificateError::Missing { path: path.display().to_string() }
        }
        _ => CertificateError::Unreadable { source },
    })
}

/// Finds out where a file is.
pub(crate) fn resolve(folder: Option<&Path>, file: &Path) -> PathBuf {
    let in_crate = folder.map(|folder| folder.join(file));
    in_crate.filter(|path| path.exists()).unwrap_or_else(|| file.to_owned())
}
