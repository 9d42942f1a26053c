//! Renewal: certificates that change while the server runs.
//!
//! One task compares the files whenever something happens in their folders
//! (`watch`), on SIGHUP (`sighup`), and once a minute for what the system doesn't
//! report. A certificate and its key are replaced one after the other, so for some
//! seconds it is no error that they don't belong together. The same task logs, at the
//! start and daily, which certificates expire soon.
//!
//! A renewed certificate is shown from the next handshake on; no connection is
//! touched.

mod sighup;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::base::clock::{Clock, SystemClock};
use crate::base::error::with_causes;
use crate::base::supervisor::Supervisor;
use crate::net::tls::certificate::{ExpiryNotice, Fingerprint, LoadedCertificate, UnusableFile};
use crate::net::tls::config::{Renewed, Tls};

use sighup::Sighup;
use watch::FileWatcher;

/// How long the folders must be quiet before the files are read, and how long
/// to wait for that at most.
const QUIET: Duration = Duration::from_millis(50);
const MOST_UNREST: Duration = Duration::from_secs(1);

/// How long unusable files may stay without being reported, since a certificate
/// and its key are replaced one after the other; and how often they are read
/// again meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(250);

/// How often the files are checked if nothing has happened.
const ROUND: Duration = Duration::from_secs(60);

/// How often the log reports which certificates are about to expire.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The task that renews the certificates of a server; it ends when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Renewal {
    task: AbortHandle,
}

impl Renewal {
    /// Starts the task; must be called within a runtime. `None` if the server
    /// has no certificates.
    ///
    /// From now on SIGHUP doesn't end the process any more.
    pub(crate) fn start(served: impl Iterator<Item = Tls>) -> Option<Renewal> {
        Renewal::start_by(served, SystemClock::default())
    }

    fn start_by(served: impl Iterator<Item = Tls>, clock: impl Clock) -> Option<Renewal> {
        let served: Vec<_> = served.map(Served::new).collect();
        if served.is_empty() {
            return None;
        }
        let sighup = Sighup::listen().inspect_err(|error| {
            tracing::warn!(%error, "certificates can't be renewed by SIGHUP");
        });
        let task = RenewalTask { served, clock, told: None };
        Some(Renewal { task: tokio::spawn(task.run(sighup.ok())).abort_handle() })
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct RenewalTask<C> {
    served: Vec<Served>,
    clock: C,
    /// When the log last reported what is about to expire.
    told: Option<Timestamp>,
}

/// The certificates of one address.
struct Served {
    tls: Tls,
    /// Since when the files have been unusable.
    trouble_since: Option<Instant>,
    /// The content last complained of; it is not logged again, except on
    /// SIGHUP.
    complained_of: Option<Fingerprint>,
}

impl<C: Clock> RenewalTask<C> {
    async fn run(mut self, mut sighup: Option<Sighup>) {
        let mut supervisor = Supervisor::new("the renewal of certificates");
        loop {
            supervisor.watch(self.renew(&mut sighup)).await;
        }
    }

    /// Renews for ever.
    async fn renew(&mut self, sighup: &mut Option<Sighup>) {
        let hint = Arc::new(Notify::new());
        let mut watch = FileWatcher::new(Arc::clone(&hint));
        let mut next_round = Instant::now();
        self.tell_what_expires();
        loop {
            let trouble = self.served.iter().any(|served| served.trouble_since.is_some());
            let wake = if trouble { next_round.min(Instant::now() + AGAIN) } else { next_round };
            tokio::select! {
                () = hint.notified() => settle(&hint).await,
                () = asked(sighup) => self.hear_request(),
                () = sleep_until(wake) => {}
            }
            for served in &mut self.served {
                served.look(self.clock.now()).await;
            }
            if Instant::now() >= next_round {
                next_round = Instant::now() + ROUND;
                self.tell_what_expires();
            }
            // Links may lead elsewhere now. This takes only a few system calls.
            let files: BTreeSet<PathBuf> =
                self.served.iter().flat_map(|served| served.tls.credentials().paths()).collect();
            if watch.follow(&files) {
                hint.notify_one();
            }
        }
    }

    /// Prepares to check the files because of a SIGHUP.
    fn hear_request(&mut self) {
        tracing::info!("looking for new certificates, as SIGHUP asks");
        for served in &mut self.served {
            served.complained_of = None;
        }
    }

    /// Logs what is about to expire, unless that was logged in the last day.
    fn tell_what_expires(&mut self) {
        let now = self.clock.now();
        // If the clock was set back, the day counts from now.
        if self.told.is_some_and(|told| told <= now && now.duration_since(told) < DAY) {
            return;
        }
        self.told = Some(now);
        let shown: Vec<LoadedCertificate> =
            self.served.iter().flat_map(|served| served.tls.certificates()).collect();
        tell(&shown, now);
    }
}

impl Served {
    fn new(tls: Tls) -> Served {
        Served { tls, trouble_since: None, complained_of: None }
    }

    /// Checks the files, and uses their content if it is new.
    async fn look(&mut self, now: Timestamp) {
        let tls = self.tls.clone();
        // A panic in there is printed, and the next check comes.
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
            Renewed::No { fingerprint, .. }
                if self.complained_of.as_ref() == Some(&fingerprint) =>
            {
                self.trouble_since = None;
            }
            Renewed::No { reason: UnusableFile { file, reason }, fingerprint } => {
                let since = *self.trouble_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENCE {
                    (self.trouble_since, self.complained_of) = (None, Some(fingerprint));
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

/// Waits until nothing has happened for a moment: files are written piece by
/// piece, and replaced one after the other.
async fn settle(hint: &Notify) {
    let end = Instant::now() + MOST_UNREST;
    while Instant::now() < end {
        let quiet = end.min(Instant::now() + QUIET);
        if timeout_at(quiet, hint.notified()).await.is_err() {
            return;
        }
    }
}

/// Lists the certificates and how long each is valid.
fn list(shown: &[LoadedCertificate]) -> String {
    let one = |shown: &LoadedCertificate| match shown.validities.first() {
        Some(validity) => {
            format!("`{}`, good until {}", shown.file, validity.until().strftime("%Y-%m-%d"))
        }
        None => format!("`{}`", shown.file),
    };
    shown.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn tell(shown: &[LoadedCertificate], now: Timestamp) {
    // Several addresses may show the same certificate.
    let notices: BTreeSet<ExpiryNotice> =
        shown.iter().flat_map(|shown| shown.notices(now)).collect();
    for notice in notices {
        match notice.has_expired {
            true => tracing::error!("{}", notice.sentence),
            false => tracing::warn!("{}", notice.sentence),
        }
    }
}

/// Waits for a SIGHUP.
async fn asked(sighup: &mut Option<Sighup>) {
    match sighup {
        Some(sighup) => sighup.next().await,
        None => std::future::pending().await,
    }
}
