//! Certificates: the words that name them, and their files, read at the start and
//! whenever they change. No file becomes part of the program.
//!
//! `load` reads a certificate with its `key` and `password`, `pfx` from a PKCS#12 file;
//! `sealed_key` decrypts a key. `files` finds files
//! and compares them, `expiry` knows how long a certificate is valid. `authorities`
//! are those whose client certificates are accepted, `client` is such a certificate
//! as a handler sees it. `credentials` has all that an address shows and asks for, and
//! `sni_resolver` chooses by the name that a client asks for.

mod authorities;
mod client;
mod credentials;
mod expiry;
mod files;
mod key;
mod load;
mod password;
#[cfg_attr(not(feature = "pfx"), path = "pfx_off.rs")]
mod pfx;
#[cfg_attr(not(feature = "encrypted-keys"), path = "sealed_key_off.rs")]
mod sealed_key;
mod sni_resolver;

use std::path::{Path, PathBuf};

pub use authorities::{ClientAuthorities, optional, required};
pub use client::ClientCertificate;
pub(crate) use credentials::{Credentials, LoadedCredentials};
pub(crate) use expiry::ExpiryNotice;
pub(crate) use files::{Fingerprint, resolve};
#[cfg(any(feature = "redis", feature = "upstream"))]
pub(crate) use load::load_chain;
pub(crate) use load::{LoadedCertificate, UnusableFile};
pub use password::{Password, password_from_env, password_from_file};

/// Where the certificate of a secure endpoint comes from, with its key.
///
/// Made by [`pfx`], [`pem`] or [`self_signed`]. The default is none, for plain
/// endpoints and for an endpoint that shares its address with another that
/// names the certificate. Make several from an array or a `Vec`: a client is
/// shown the first one for the name it asks for, with an exact name preferred
/// to a wildcard, or the very first if none matches.
///
/// Files are read and checked when the server starts. A certificate that has
/// expired, or is for other names, is served nevertheless, and clients refuse
/// it. The log reports a certificate that is about to expire from 30 days
/// before, or from the last third of its life if that is less.
///
/// A file that changes later, including the key's or the password's, is read
/// again. SIGHUP reads all of them again. New connections are then shown the
/// new certificate; existing connections are not touched. A file that can't be
/// used is logged, and the previous certificate stays in use.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::certificate::{Certificate, password_from_env, pem, pfx};
///
/// let both = Certificate::from([
///     pem("shop.pem", "shop.key").password(password_from_env("SHOP_PASSWORD")),
///     pfx("blog.pfx", password_from_env("BLOG_PASSWORD")),
/// ]);
/// # let _ = both;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// In the order in which they are tried.
    sources: Vec<CertificateSource>,
}

/// Where one certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CertificateSource {
    Pfx { file: PathBuf, password: Password },
    Pem { chain: PathBuf, key: PathBuf, password: Option<Password> },
    SelfSigned,
}

/// Takes the certificate, those that signed it, and its key from a PKCS#12
/// file, usually named `.pfx` or `.p12`.
///
/// Supports files as OpenSSL 3 makes them (PBES2), those of Windows and older
/// tools (RC2 and 3DES), and those in BER, as NSS and Bouncy Castle write them.
/// Needs the feature `pfx`; without it, the start fails with an error that names
/// the feature.
pub fn pfx(file: impl Into<PathBuf>, password: impl Into<Password>) -> Certificate {
    CertificateSource::Pfx { file: file.into(), password: password.into() }.into()
}

/// Takes the certificates from one PEM file, the server's own first, and the
/// key from another or the same file.
///
/// For a key with a password (PKCS#8, `BEGIN ENCRYPTED PRIVATE KEY`), set it by
/// [`password`](Certificate::password). That needs the feature
/// `encrypted-keys`; without it, the start fails with an error that names the
/// feature.
pub fn pem(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Certificate {
    CertificateSource::Pem { chain: chain.into(), key: key.into(), password: None }.into()
}

/// Generates a certificate at the start, which no client trusts unless
/// configured to: for development.
///
/// It is for `localhost`, 127.0.0.1, `::1` and the endpoint's own address.
pub fn self_signed() -> Certificate {
    CertificateSource::SelfSigned.into()
}

impl Certificate {
    /// Sets the password of the key, for [`pem`]; a key that is not encrypted
    /// needs none. Replaces the password of [`pfx`].
    pub fn password(mut self, password: impl Into<Password>) -> Certificate {
        let new = password.into();
        for source in &mut self.sources {
            match source {
                CertificateSource::Pfx { password, .. } => *password = new.clone(),
                CertificateSource::Pem { password, .. } => *password = Some(new.clone()),
                CertificateSource::SelfSigned => {}
            }
        }
        self
    }

    /// Declares that the files exist only at run time: the compiler doesn't
    /// look for them. At run time this has no effect.
    pub fn at_run_time(self) -> Certificate {
        self
    }

    pub(crate) fn is_none(&self) -> bool {
        self.sources.is_empty()
    }

    /// Has variables with passwords replaced by their values here. What has a
    /// password that isn't there becomes self-signed.
    #[cfg(feature = "test")]
    pub(crate) fn complete(&mut self, variables: &std::collections::HashMap<String, String>) {
        for source in &mut self.sources {
            let password = match source {
                CertificateSource::Pfx { password, .. } => Some(password),
                CertificateSource::Pem { password, .. } => password.as_mut(),
                CertificateSource::SelfSigned => None,
            };
            if password.is_some_and(|password| !password.complete(variables)) {
                *source = CertificateSource::SelfSigned;
            }
        }
    }

    /// Returns the files that it is read from.
    fn files(&self) -> impl Iterator<Item = &Path> {
        self.sources
            .iter()
            .flat_map(|source| match source {
                CertificateSource::Pfx { file, password } => {
                    [Some(file.as_path()), password.file(), None]
                }
                CertificateSource::Pem { chain, key, password } => {
                    let password = password.as_ref().and_then(Password::file);
                    [Some(chain.as_path()), Some(key.as_path()), password]
                }
                CertificateSource::SelfSigned => [None; 3],
            })
            .flatten()
    }
}

impl From<CertificateSource> for Certificate {
    fn from(source: CertificateSource) -> Certificate {
        Certificate { sources: vec![source] }
    }
}

impl<const N: usize> From<[Certificate; N]> for Certificate {
    fn from(several: [Certificate; N]) -> Certificate {
        several.into_iter().collect()
    }
}

impl From<Vec<Certificate>> for Certificate {
    fn from(several: Vec<Certificate>) -> Certificate {
        several.into_iter().collect()
    }
}

impl FromIterator<Certificate> for Certificate {
    fn from_iter<I: IntoIterator<Item = Certificate>>(several: I) -> Certificate {
        let sources = several.into_iter().flat_map(|certificate| certificate.sources).collect();
        Certificate { sources }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for certificate in [pfx("a.pfx", "secret"), pem("a", "b").password("secret")] {
            assert!(!format!("{certificate:?}").contains("secret"), "{certificate:?}");
        }
    }

    #[test]
    fn alike_words_are_one_certificate() {
        assert_eq!(pem("a", "b"), pem("a", "b").at_run_time());
        assert_ne!(pem("a", "b"), pem("a", "c"));
        assert_ne!(pem("a", "b"), pem("a", "b").password("c"));
        assert_ne!(pfx("a", password_from_env("X")), pfx("a", password_from_file("X")));
        assert_eq!(pfx("a", "b").password("c"), pfx("a", "c"));
        assert!(Certificate::default().is_none());
        assert!(Certificate::from([]).is_none());
        assert_eq!(Certificate::from([pem("a", "b")]), pem("a", "b"));
    }

    #[test]
    fn all_files_are_told() {
        let password = || password_from_file("p.txt");
        let all = Certificate::from(vec![
            pfx("a.pfx", password_from_env("X")),
            pem("b.pem", "b.key").password(password()),
            self_signed(),
            pfx("c.pfx", password()),
        ]);
        let files: Vec<_> = all.files().map(|file| file.to_str().expect("text")).collect();
        assert_eq!(files, ["a.pfx", "b.pem", "b.key", "p.txt", "c.pfx", "p.txt"]);
    }
}
