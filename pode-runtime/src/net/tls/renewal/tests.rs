//! Renewal with a clock that is set, on files of the test's own.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Zoned;
use jiff::tz::TimeZone;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;
use crate::base::log::Collected;
use crate::net::tls::certificate::{Credentials, pfx};

/// A clock that was set, and goes as tokio's does.
struct Set {
    to: Timestamp,
    at: Instant,
}

impl Clock for Set {
    fn wall(&self) -> Zoned {
        (self.to + self.at.elapsed()).to_zoned(TimeZone::UTC)
    }
}

/// The only test here that makes the log report expiry: if another thread
/// logged it first, this log would never get it.
///
/// Paused time jumps ahead when every task waits for it.
#[tokio::test(start_paused = true)]
async fn an_expiry_is_told_at_the_start_and_daily() {
    let (log, _collected) = Collected::begin();
    let folder = folder("expiry");
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(["shop.example".to_owned()]).expect("a name");
    parameters.not_before = date_time_ymd(2026, 1, 1);
    parameters.not_after = date_time_ymd(2027, 1, 1);
    let made = parameters.self_signed(&key).expect("a certificate");
    let (chain, key_file) = (folder.join("chain.pem"), folder.join("key.pem"));
    write(&chain, "CERTIFICATE", made.der());
    write(&key_file, "PRIVATE KEY", &key.serialize_der());
    let pair = crate::net::tls::certificate::pem(&chain, &key_file);
    // The same certificate at two addresses is logged once.
    let served: Vec<Tls> =
        (0..2).map(|_| Tls::new(Credentials::of(pair.clone()), false).expect("a pair")).collect();

    let noon = "2026-12-29T12:00:00Z".parse().expect("a moment");
    let clock = Set { to: noon, at: Instant::now() };
    let renewal = Renewal::start_by(served.into_iter(), clock).expect("there are certificates");
    tokio::time::sleep(Duration::from_secs(60 * 60 * (3 * 24 + 1))).await;
    drop(renewal);
    tokio::time::sleep(Duration::from_secs(60 * 60 * 48)).await;

    let line = |level: &str, ends: &str| {
        format!(
            "{level} the certificate of \"shop.example\" in `{}` {ends}; put a new one into \
             its place, the server needs no restart\n",
            chain.display()
        )
    };
    let until = "2027-01-01 00:00 UTC";
    let expected = [
        line(" WARN", &format!("expires in 2 days: it is good until {until}")),
        line(" WARN", &format!("expires in 36 hours: it is good until {until}")),
        line(" WARN", &format!("expires in 12 hours: it is good until {until}")),
        line("ERROR", &format!("has expired: it was good until {until}, and clients refuse it")),
    ];
    assert_eq!(log.text(), expected.concat());
    std::fs::remove_dir_all(folder).expect("it is there");
}

/// Writes a section of a PEM file.
fn write(path: &Path, label: &str, der: &[u8]) {
    let body = BASE64_STANDARD.encode(der);
    let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    std::fs::write(path, text).expect("a file");
}

/// Makes a folder for a single test.
fn folder(name: &str) -> PathBuf {
    let name = format!("pode-renewal-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[tokio::test(start_paused = true)]
async fn half_of_a_pair_has_its_time() {
    let folder = folder("half");
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let make = || {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new(["shop.example".to_owned()]).expect("a name");
        (parameters.self_signed(&key).expect("a certificate"), key.serialize_der())
    };
    let (first, second) = (make(), make());
    write(&chain, "CERTIFICATE", first.0.der());
    write(&key, "PRIVATE KEY", &first.1);
    let pair = crate::net::tls::certificate::pem(&chain, &key);
    let mut served = Served::new(Tls::new(Credentials::of(pair), false).expect("a pair"));
    let shown = |served: &Served| served.tls.certificates()[0].pair.cert[0].to_vec();
    let now = Timestamp::UNIX_EPOCH;

    write(&key, "PRIVATE KEY", &second.1);
    served.look(now).await;
    tokio::time::advance(PATIENCE - AGAIN).await;
    served.look(now).await;
    assert!(served.trouble_since.is_some(), "it is looked at again");
    assert_eq!(served.complained_of, None);
    assert_eq!(shown(&served), first.0.der().to_vec());
    // The other half comes just in time.
    write(&chain, "CERTIFICATE", second.0.der());
    served.look(now).await;
    assert_eq!((served.trouble_since, &served.complained_of), (None, &None));
    assert_eq!(shown(&served), second.0.der().to_vec());

    // Now it doesn't come.
    write(&key, "PRIVATE KEY", &first.1);
    served.look(now).await;
    tokio::time::advance(PATIENCE).await;
    served.look(now).await;
    let complained_of = served.complained_of.clone();
    assert!(complained_of.is_some());
    for _ in 0..3 {
        tokio::time::advance(PATIENCE).await;
        served.look(now).await;
        assert_eq!((served.trouble_since, &served.complained_of), (None, &complained_of));
    }
    // Restoring the previous content is accepted silently.
    write(&key, "PRIVATE KEY", &second.1);
    served.look(now).await;
    assert_eq!((served.trouble_since, &served.complained_of), (None, &None));
    std::fs::remove_dir_all(folder).expect("it is there");
}

#[tokio::test]
async fn without_certificates_there_is_nothing_to_renew() {
    let clock = Set { to: Timestamp::UNIX_EPOCH, at: Instant::now() };
    assert!(Renewal::start_by(std::iter::empty(), clock).is_none());
    let missing = Credentials::of(pfx("nowhere.pfx", "secret"));
    assert!(Tls::new(missing, false).is_err());
}
