//! Certificates: the words that name them, and their files, read at the start.
//!
//! No file becomes part of the program. A path is relative to the crate's
//! folder in builds with debug assertions, if there is such a file, and to the
//! working directory otherwise, as it is for every build that is deployed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as Pkcs12Error;
use pode_core::Bind;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::error::CertificateError;

/// Where the certificate of a secure endpoint comes from, with its key.
///
/// Made by [`pfx`], [`pem`] or [`self_signed`]; the default is none, which is
/// right for plain endpoints, and for one that shares its address with another
/// that names the certificate. Files are read when the server starts, and
/// judged then: a certificate that has expired, or is for other names, is
/// served all the same, and refused by clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    source: Source,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Source {
    #[default]
    None,
    Pfx {
        file: PathBuf,
        password: Password,
    },
    Pem {
        chain: PathBuf,
        key: PathBuf,
    },
    SelfSigned,
}

/// Takes the certificate, those that signed it, and its key from a PKCS#12
/// file, usually named `.pfx` or `.p12`.
///
/// Files as OpenSSL 3 makes them (PBES2) are understood, and those of Windows
/// and older tools (RC2 and 3DES).
pub fn pfx(file: impl Into<PathBuf>, password: impl Into<Password>) -> Certificate {
    Certificate { source: Source::Pfx { file: file.into(), password: password.into() } }
}

/// Takes the certificates from one PEM file, the server's own first, and the
/// key from another, or from the same.
///
/// The key has no password; [`pfx`] is for one that has.
pub fn pem(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Certificate {
    Certificate { source: Source::Pem { chain: chain.into(), key: key.into() } }
}

/// Makes a certificate at the start, which no client trusts unless it is told
/// to: for development.
///
/// It is for `localhost`, 127.0.0.1, `::1` and the endpoint's own address.
pub fn self_signed() -> Certificate {
    Certificate { source: Source::SelfSigned }
}

/// Takes a password from an environment variable, when the server starts.
pub fn password_from_env(name: impl Into<String>) -> Password {
    Password { source: PasswordSource::Variable(name.into()) }
}

/// Takes a password from a file, when the server starts. A line break at its
/// end is no part of it.
///
/// The path is resolved as that of a certificate is.
pub fn password_from_file(file: impl Into<PathBuf>) -> Password {
    Password { source: PasswordSource::File(file.into()) }
}

/// Where a password comes from; itself it is never shown.
///
/// A text is a password, too, but a password in the code is in every copy of
/// the program: the compiler warns of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    source: PasswordSource,
}

#[derive(Clone, PartialEq, Eq)]
enum PasswordSource {
    Text(String),
    Variable(String),
    File(PathBuf),
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Password::from(text.to_owned())
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Password { source: PasswordSource::Text(text) }
    }
}

/// Shows where the password comes from, if that is no secret.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            PasswordSource::Text(_) => f.write_str("Password(..)"),
            PasswordSource::Variable(name) => write!(f, "password_from_env({name:?})"),
            PasswordSource::File(file) => write!(f, "password_from_file({file:?})"),
        }
    }
}

/// Why a certificate can't be used, and the file that is to blame.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) file: String,
    pub(crate) reason: CertificateError,
}

impl Certificate {
    /// Says that the files are only there at run time: the compiler doesn't
    /// look for them. At run time this changes nothing.
    pub fn at_run_time(self) -> Certificate {
        self
    }

    pub(crate) fn is_none(&self) -> bool {
        self.source == Source::None
    }

    /// Reads the certificate and its key, and sees that they belong together;
    /// `None` if there is none. `folder` is the crate's, while developing.
    pub(crate) fn load(
        &self,
        folder: Option<&Path>,
        bind: &Bind,
    ) -> Result<Option<CertifiedKey>, Unusable> {
        let blame = |file: &Path| {
            let file = file.display().to_string();
            |reason| Unusable { file, reason }
        };
        let loaded = match &self.source {
            Source::None => return Ok(None),
            Source::Pfx { file, password } => load_pfx(folder, file, password).map_err(blame(file)),
            Source::Pem { chain, key } => {
                let certificates = load_chain(folder, chain).map_err(blame(chain))?;
                load_key(folder, key, certificates).map_err(blame(key))
            }
            Source::SelfSigned => make_self_signed(bind).map_err(blame(Path::new("self_signed()"))),
        };
        loaded.map(Some)
    }
}

impl Password {
    fn read(&self, folder: Option<&Path>) -> Result<String, CertificateError> {
        match &self.source {
            PasswordSource::Text(text) => Ok(text.clone()),
            // The error would show the value if it is no text.
            PasswordSource::Variable(name) => std::env::var(name)
                .map_err(|_| CertificateError::PasswordVariable { name: name.clone() }),
            PasswordSource::File(file) => {
                let text = std::fs::read_to_string(resolve(folder, file)).map_err(|source| {
                    CertificateError::PasswordFile { file: file.display().to_string(), source }
                })?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
            }
        }
    }
}

fn load_pfx(
    folder: Option<&Path>,
    file: &Path,
    password: &Password,
) -> Result<CertifiedKey, CertificateError> {
    let content = read(folder, file)?;
    let password = password.read(folder)?;
    let archive = Pkcs12Archive::from_pkcs12(&content, &password).map_err(|error| match error {
        Pkcs12Error::MacError(_) | Pkcs12Error::UnpadError => CertificateError::WrongPassword,
        other => CertificateError::NotPkcs12 { reason: other.to_string() },
    })?;
    if archive.certs.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    if archive.keys.is_empty() {
        return Err(CertificateError::NoKey);
    }
    let certificates: Vec<CertificateDer<'static>> =
        archive.certs.iter().map(|bag| bag.cert.as_der().to_vec().into()).collect();
    for bag in &archive.keys {
        let key = PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec());
        let key = signing_key(key.into())?;
        // The order of the bags is anyone's; TLS wants the server's own first.
        for own in 0..certificates.len() {
            let mut chain = certificates.clone();
            chain[..=own].rotate_right(1);
            let pair = CertifiedKey::new(chain, key.clone());
            if pair.keys_match().is_ok() {
                return Ok(pair);
            }
        }
    }
    Err(CertificateError::OtherKey)
}

/// Reads the certificates of a PEM file, of which there is at least one.
pub(crate) fn load_chain(
    folder: Option<&Path>,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let content = read(folder, file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let certificates =
        certificates.map_err(|error| CertificateError::NotPem { reason: error.to_string() })?;
    if certificates.is_empty() { Err(CertificateError::NoCertificate) } else { Ok(certificates) }
}

fn load_key(
    folder: Option<&Path>,
    file: &Path,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<CertifiedKey, CertificateError> {
    let content = read(folder, file)?;
    let key = PrivateKeyDer::from_pem_slice(&content).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            let mark = b"BEGIN ENCRYPTED PRIVATE KEY";
            match content.windows(mark.len()).any(|window| window == mark) {
                true => CertificateError::KeyWithPassword,
                false => CertificateError::NoKey,
            }
        }
        // Its text may quote the file.
        _ => CertificateError::NotPem { reason: "a key in it can't be read".to_owned() },
    })?;
    let pair = CertifiedKey::new(certificates, signing_key(key)?);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(_) => Err(CertificateError::OtherKey),
    }
}

fn make_self_signed(bind: &Bind) -> Result<CertifiedKey, CertificateError> {
    let mut names = vec!["localhost".to_owned()];
    let local = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    let own = bind.socket_address().ip();
    let own = (!own.is_unspecified() && !local.contains(&own)).then_some(own);
    names.extend(local.into_iter().chain(own).map(|ip| ip.to_string()));

    let unmade = |error: rcgen::Error| CertificateError::Unmade { reason: error.to_string() };
    let key = KeyPair::generate().map_err(unmade)?;
    let mut parameters = CertificateParams::new(names).map_err(unmade)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "pode, self-signed");
    parameters.distinguished_name = name;
    let certificate = parameters.self_signed(&key).map_err(unmade)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok(CertifiedKey::new(vec![certificate.into()], signing_key(key.into())?))
}

fn signing_key(
    key: PrivateKeyDer<'static>,
) -> Result<std::sync::Arc<dyn rustls::sign::SigningKey>, CertificateError> {
    any_supported_type(&key).map_err(|_| CertificateError::KindOfKey)
}

fn read(folder: Option<&Path>, file: &Path) -> Result<Vec<u8>, CertificateError> {
    let path = resolve(folder, file);
    std::fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            let path = std::path::absolute(&path).unwrap_or(path);
            CertificateError::Missing { path: path.display().to_string() }
        }
        _ => CertificateError::Unreadable { source },
    })
}

fn resolve(folder: Option<&Path>, file: &Path) -> PathBuf {
    let in_crate = folder.map(|folder| folder.join(file));
    in_crate.filter(|path| path.exists()).unwrap_or_else(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let certificate = pfx("a.pfx", "secret");
        assert!(!format!("{certificate:?}").contains("secret"), "{certificate:?}");
        assert_eq!(format!("{:?}", password_from_env("NAME")), "password_from_env(\"NAME\")");
    }

    #[test]
    fn alike_words_are_one_certificate() {
        assert_eq!(pem("a", "b"), pem("a", "b").at_run_time());
        assert_ne!(pem("a", "b"), pem("a", "c"));
        assert_ne!(pfx("a", password_from_env("X")), pfx("a", password_from_file("X")));
        assert!(Certificate::default().is_none());
    }

    #[test]
    fn a_certificate_of_our_own_making_knows_its_address() {
        let address = "192.0.2.7:443".parse().expect("an address");
        let pair = make_self_signed(&address).expect("a certificate");
        pair.keys_match().expect("its key");
        let names = pair.end_entity_cert().expect("a certificate");
        for name in [&b"localhost"[..], &[127, 0, 0, 1], &[192, 0, 2, 7]] {
            assert!(names.windows(name.len()).any(|window| window == name), "{name:?}");
        }
    }
}
