//! An authority that signs certificates while a test runs, and a folder to put
//! them in.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

use super::*;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(crate) struct Issued {
    /// In PEM form.
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(super) der: CertificateDer<'static>,
    pub(super) key_der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "pode test authority");
        let key = KeyPair::generate().unwrap();
        Authority { issuer: CertifiedIssuer::self_signed(parameters, key).unwrap() }
    }

    /// Returns its own certificate in PEM form.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Signs a certificate of a new key for a server of these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        self.sign(parameters)
    }

    /// Signs one for `localhost` that has been valid since a year ago, and is
    /// for so many days from now on; or was until so many days ago.
    pub(super) fn issue_for_days(&self, days: i32) -> Issued {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let now = SystemTime::now();
        parameters.not_before = (now - 365 * DAY).into();
        let from_now = days.unsigned_abs() * DAY;
        let end = if days < 0 { now - from_now } else { now + from_now };
        parameters.not_after = end.into();
        self.sign(parameters)
    }

    /// Signs a certificate of a new key for a client.
    pub(super) fn issue_to_client(&self, name: &str, address: &str) -> Issued {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.distinguished_name.push(DnType::OrganizationName, "pode, inc");
        let address = rcgen::SanType::Rfc822Name(address.try_into().unwrap());
        parameters.subject_alt_names.push(address);
        parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        self.sign(parameters)
    }

    fn sign(&self, parameters: CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Issued {
            chain: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
            key_der: key.serialize_der(),
        }
    }

    /// Returns the configuration of a client that trusts this authority. The
    /// client resumes no sessions, so that it always sees the certificate.
    pub(super) fn trusted(&self) -> ClientConfig {
        let mut config = trusting(self.issuer.der().clone(), &[&TLS12, &TLS13]);
        config.resumption = tokio_rustls::rustls::client::Resumption::disabled();
        config
    }
}

/// A folder for this test, removed at its end.
pub(super) struct Folder {
    pub(super) path: PathBuf,
}

impl Folder {
    pub(super) fn new() -> Folder {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pode-tls-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder { path }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Replaces a file atomically.
    pub(super) fn put(&self, name: &str, content: &str) {
        replace(&self.file(name), content);
    }

    /// Replaces a certificate and its key, one after the other.
    pub(super) fn put_pair(&self, issued: &Issued) {
        self.put("key.pem", &issued.key);
        self.put("chain.pem", &issued.chain);
    }

    pub(super) fn pair(&self) -> Certificate {
        pem(self.file("chain.pem"), self.file("key.pem"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Returns the certificate that a server shows.
pub(super) fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Waits until a server shows this certificate; until then, each handshake with
/// another one succeeds, too.
pub(super) async fn shows(config: &ClientConfig, address: SocketAddr, issued: &Issued) {
    let seen = async {
        loop {
            let stream = connect(config.clone(), address, "localhost").await.unwrap();
            if shown(&stream) == issued.der {
                return;
            }
        }
    };
    within(seen, "the new certificate").await;
}
