//! Renewal: certificates that change while the server runs.
//!
//! One task looks at the files whenever something happens in their folders, on
//! SIGHUP, and once in a minute for whatever the system doesn't tell. Contents
//! are compared, so nothing is read anew for nothing. Who renews replaces a
//! certificate and its key one after the other, so for some seconds it is no
//! mistake that they don't belong together. The same task tells the log, at
//! the start and daily, which certificates are about to expire.
//!
//! What is renewed is what the next handshakes take; no connection is touched.

mod watch;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::certificate::{Print, Shown, Unusable, judge};
use crate::clock::Clock;
use crate::error::with_causes;
use crate::tls::{Renewed, Tls};

use watch::Watch;

/// How long the folders must be quiet before the files are read, and how long
/// that is waited for at most.
const QUIET: Duration = Duration::from_millis(50);
const MOST_UNREST: Duration = Duration::from_secs(1);

/// How long files that can't be used may be only half of what is to come, and
/// how often they are looked at meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(250);

/// How often the files are looked at when nothing has happened.
const ROUND: Duration = Duration::from_secs(60);

/// How often the log is told which certificates are about to expire.
const DAY: TimeDelta = TimeDelta::days(1);

/// The task that renews the certificates of a server; it ends when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Renewal {
    task: AbortHandle,
}

impl Renewal {
    /// Starts it; must be called within a runtime. `None` if the server has no
    /// certificates.
    ///
    /// From now on SIGHUP doesn't end the process any more.
    pub(crate) fn start(served: impl Iterator<Item = Tls>, clock: impl Clock) -> Option<Renewal> {
        let served: Vec<_> = served.map(Served::new).collect();
        if served.is_empty() {
            return None;
        }
        let hang_up = HangUp::listen().inspect_err(|error| {
            tracing::warn!(%error, "certificates can't be renewed by SIGHUP");
        });
        let task = Task { served, clock, told: None };
        Some(Renewal { task: tokio::spawn(task.run(hang_up.ok())).abort_handle() })
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task<C> {
    served: Vec<Served>,
    clock: C,
    /// When the log was last told what is about to expire.
    told: Option<DateTime<Utc>>,
}

/// The certificates of one address.
struct Served {
    tls: Tls,
    /// Since when the files hold what can't be used.
    trouble_since: Option<Instant>,
    /// What was complained of; it is not again, unless somebody asks.
    complained_of: Option<Print>,
}

impl<C: Clock> Task<C> {
    async fn run(mut self, mut hang_up: Option<HangUp>) {
        let hint = Arc::new(Notify::new());
        let mut watch = Watch::new(Arc::clone(&hint));
        let mut next_round = Instant::now();
        self.tell_what_expires();
        loop {
            let trouble = self.served.iter().any(|served| served.trouble_since.is_some());
            let wake = if trouble { next_round.min(Instant::now() + AGAIN) } else { next_round };
            tokio::select! {
                () = hint.notified() => settle(&hint).await,
                () = asked(&mut hang_up) => self.hear_request(),
                () = sleep_until(wake) => {}
            }
            for served in &mut self.served {
                served.look(self.clock.wall().to_utc()).await;
            }
            if Instant::now() >= next_round {
                next_round = Instant::now() + ROUND;
                self.tell_what_expires();
            }
            // Links may lead elsewhere now. It is a matter of a few system
            // calls.
            let files: BTreeSet<PathBuf> =
                self.served.iter().flat_map(|served| served.tls.credentials().paths()).collect();
            if watch.follow(&files) {
                hint.notify_one();
            }
        }
    }

    /// Prepares to look at the files because somebody asked for it.
    fn hear_request(&mut self) {
        tracing::info!("looking for new certificates, as SIGHUP asks");
        for served in &mut self.served {
            served.complained_of = None;
        }
    }

    /// Tells what is about to expire, if it wasn't told in the last day.
    fn tell_what_expires(&mut self) {
        let now = self.clock.wall().to_utc();
        // A clock that was set back counts from there.
        if self.told.is_some_and(|told| told <= now && now - told < DAY) {
            return;
        }
        self.told = Some(now);
        let shown: Vec<Shown> =
            self.served.iter().flat_map(|served| served.tls.certificates()).collect();
        tell(&shown, now);
    }
}

impl Served {
    fn new(tls: Tls) -> Served {
        Served { tls, trouble_since: None, complained_of: None }
    }

    /// Looks at the files, and takes up what they hold if that is new.
    async fn look(&mut self, now: DateTime<Utc>) {
        let tls = self.tls.clone();
        // A panic in there is printed, and the next look comes.
        let Ok(renewed) = spawn_blocking(move || tls.renew()).await else { return };
        let endpoint = &self.tls.credentials().endpoint;
        match renewed {
            Renewed::Same => (self.trouble_since, self.complained_of) = (None, None),
            Renewed::Yes => {
                (self.trouble_since, self.complained_of) = (None, None);
                let shown = self.tls.certificates();
                tracing::info!("endpoint `{endpoint}` has new certificates: {}", list(&shown));
                tell(&shown, now);
            }
            Renewed::No { print, .. } if self.complained_of.as_ref() == Some(&print) => {
                self.trouble_since = None;
            }
            Renewed::No { reason: Unusable { file, reason }, print } => {
                let since = *self.trouble_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    (self.trouble_since, self.complained_of) = (None, Some(print));
                    let reason = with_causes(&reason);
                    tracing::error!(
                        "endpoint `{endpoint}` can't use the new `{file}`: {reason}; \
                         the certificates before stay in use"
                    );
                }
            }
        }
    }
}

/// Waits until nothing has happened for a moment: files are written bit by bit,
/// and replaced one after the other.
async fn settle(hint: &Notify) {
    let end = Instant::now() + MOST_UNREST;
    while Instant::now() < end {
        let quiet = end.min(Instant::now() + QUIET);
        if timeout_at(quiet, hint.notified()).await.is_err() {
            return;
        }
    }
}

/// Says which certificates there are, and how long each is good.
fn list(shown: &[Shown]) -> String {
    let one = |shown: &Shown| match shown.lives.first() {
        Some(life) => format!("`{}`, good until {}", shown.file, life.until().format("%Y-%m-%d")),
        None => format!("`{}`", shown.file),
    };
    shown.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn tell(shown: &[Shown], now: DateTime<Utc>) {
    for notice in judge(shown, now) {
        match notice.has_expired {
            true => tracing::error!("{}", notice.sentence),
            false => tracing::warn!("{}", notice.sentence),
        }
    }
}

/// Waits for somebody to ask.
async fn asked(hang_up: &mut Option<HangUp>) {
    match hang_up {
        Some(hang_up) => hang_up.next().await,
        None => std::future::pending().await,
    }
}

/// SIGHUP, by which servers are asked to read their files anew.
struct HangUp {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl HangUp {
    /// Listens from now on; the signal no longer ends the process.
    fn listen() -> io::Result<HangUp> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(HangUp { signal: signal(SignalKind::hangup())? })
    }

    /// Waits for the next one. Cancel safe.
    async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            // No more can come.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl HangUp {
    /// There is none here.
    fn listen() -> io::Result<HangUp> {
        Ok(HangUp {})
    }

    async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;
    use crate::certificate::{Credentials, pfx};

    /// A clock that was set, and goes as tokio's does.
    struct Set {
        to: DateTime<Utc>,
        at: Instant,
    }

    impl Clock for Set {
        type Zone = Utc;

        fn wall(&self) -> DateTime<Utc> {
            self.to + self.at.elapsed()
        }
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics with it").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The one test here that makes the log say something of expiry: what
    /// another thread says first would go nowhere for good.
    ///
    /// Time jumps ahead when all that is left is to wait for it.
    #[tokio::test(start_paused = true)]
    async fn an_expiry_is_told_at_the_start_and_daily() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .finish();
        let _default = tracing::subscriber::set_default(subscriber);

        let folder = std::env::temp_dir().join(format!("pode-renewal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(["shop.example".to_owned()]).expect("a name");
        parameters.not_before = date_time_ymd(2026, 1, 1);
        parameters.not_after = date_time_ymd(2027, 1, 1);
        let made = parameters.self_signed(&key).expect("a certificate");
        let write = |name: &str, label: &str, der: &[u8]| {
            use base64::Engine;
            let body = base64::prelude::BASE64_STANDARD.encode(der);
            let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
            std::fs::write(folder.join(name), text).expect("a file");
        };
        write("chain.pem", "CERTIFICATE", made.der());
        write("key.pem", "PRIVATE KEY", &key.serialize_der());
        let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
        let pair = crate::certificate::pem(&chain, &key);
        // The same at two addresses is told once.
        let served: Vec<Tls> = (0..2)
            .map(|_| Tls::new(Credentials::of(pair.clone()), false).expect("a pair"))
            .collect();

        let noon = "2026-12-29T12:00:00Z".parse().expect("a moment");
        let clock = Set { to: noon, at: Instant::now() };
        let renewal = Renewal::start(served.into_iter(), clock).expect("there are certificates");
        tokio::time::sleep(Duration::from_secs(60 * 60 * (3 * 24 + 1))).await;
        drop(renewal);
        tokio::time::sleep(Duration::from_secs(60 * 60 * 48)).await;

        let said = String::from_utf8(log.0.lock().expect("nobody panics with it").clone());
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
            line(
                "ERROR",
                &format!("has expired: it was good until {until}, and clients refuse it"),
            ),
        ];
        assert_eq!(said.expect("text"), expected.concat());
        std::fs::remove_dir_all(folder).expect("it is there");
    }

    #[tokio::test]
    async fn without_certificates_there_is_nothing_to_renew() {
        let clock = Set { to: DateTime::UNIX_EPOCH, at: Instant::now() };
        assert!(Renewal::start(std::iter::empty(), clock).is_none());
        let missing = Credentials::of(pfx("nowhere.pfx", "secret"));
        assert!(Tls::new(missing, false).is_err());
    }
}
