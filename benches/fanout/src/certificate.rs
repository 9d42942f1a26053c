//! The certificate of servers behind TLS: self-signed, with a key on the curve
//! P-256, for which handshakes cost least.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, io, process};

use rcgen::{CertifiedKey, generate_simple_self_signed};

/// A folder with the files `certificate.pem` and `key.pem`. Dropping it removes
/// them.
#[derive(Debug)]
pub struct Certificate {
    folder: PathBuf,
}

impl Certificate {
    /// Makes a certificate for `localhost`, in a folder that only this user
    /// may read.
    ///
    /// # Errors
    ///
    /// The folder of temporary files can't be written to.
    pub fn new() -> io::Result<Certificate> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("pode-fanout-{}-{count}", process::id()));
        let made = generate_simple_self_signed(["localhost".to_owned()]);
        let CertifiedKey { cert, signing_key } = made.map_err(io::Error::other)?;
        DirBuilder::new().mode(0o700).create(&folder)?;
        let certificate = Certificate { folder };
        fs::write(certificate.folder.join("certificate.pem"), cert.pem())?;
        fs::write(certificate.folder.join("key.pem"), signing_key.serialize_pem())?;
        Ok(certificate)
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // Files that can't be removed are left to the cleanup of temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
