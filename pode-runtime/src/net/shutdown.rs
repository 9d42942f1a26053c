//! How the system asks a program to end, and how the server asks its tasks.

use std::io;
#[cfg(unix)]
use std::sync::{Mutex, PoisonError, mpsc};
#[cfg(unix)]
use std::time::Duration;
#[cfg(unix)]
use std::{process, thread};

#[cfg(unix)]
use tokio::runtime::Builder;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;
#[cfg(unix)]
use tokio::time::timeout;

#[cfg(unix)]
use crate::base::log;

/// Waits for a deadline; returns now if no sender is left to set one.
pub(crate) async fn told_to_stop(stopping: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let deadline = stopping.wait_for(Option::is_some).await;
    deadline.ok().and_then(|deadline| *deadline).unwrap_or_else(Instant::now)
}

/// How a connection learns that it takes no further request.
#[derive(Clone, Debug)]
pub(crate) struct LastRequest {
    pub(crate) stopping: watch::Receiver<Option<Instant>>,
    /// Whether connections are accepted here, or by a newer process.
    pub(crate) accepting: watch::Receiver<bool>,
}

impl LastRequest {
    /// Returns whether a request that comes now is the last one.
    pub(crate) fn is_told(&self) -> bool {
        self.stopping.borrow().is_some() || !*self.accepting.borrow()
    }

    /// Waits until the server stops, or no longer accepts connections. The latter
    /// doesn't concern a connection before its first request, which its client may be
    /// sending: no client expects the end then.
    pub(crate) async fn told(&mut self, first_request: impl Future<Output = ()>) {
        let is_replaced = async {
            if self.accepting.wait_for(|accepting| !accepting).await.is_err() {
                std::future::pending::<()>().await;
            }
            first_request.await;
        };
        tokio::select! {
            _ = told_to_stop(&mut self.stopping) => {}
            () = is_replaced => {}
        }
    }
}

/// Connections are always accepted.
#[cfg(test)]
impl From<watch::Receiver<Option<Instant>>> for LastRequest {
    fn from(stopping: watch::Receiver<Option<Instant>>) -> LastRequest {
        LastRequest { stopping, accepting: watch::channel(true).1 }
    }
}

/// Makes a write fail that would exceed the largest file size of this process,
/// such as a write to its log; otherwise it would end the process (SIGXFSZ).
#[cfg(unix)]
pub(crate) fn outlive_files_that_are_too_large() {
    // No task has to wait for the signal: the handler suffices.
    let signal = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    if let Err(error) = signal {
        tracing::debug!(%error, "a file that meets its limit of size will end the process");
    }
}

/// Requests to end: Ctrl-C, and on Unix SIGTERM, as service managers send it.
pub(crate) struct StopRequests {
    #[cfg(unix)]
    asked: watch::Receiver<usize>,
}

#[cfg(unix)]
impl StopRequests {
    /// Listens from now on: the first two requests don't end the process by
    /// themselves, if this is dropped upon the second.
    pub(crate) fn listen() -> io::Result<StopRequests> {
        static ASKED: Mutex<Option<watch::Sender<usize>>> = Mutex::new(None);
        // Nothing panics while it is locked.
        let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = match &mut *asked {
            Some(asked) => asked,
            none => none.insert(heed_signals()?),
        };
        if asked.receiver_count() == 0 {
            asked.send_replace(0);
        }
        Ok(StopRequests { asked: asked.subscribe() })
    }

    /// Waits for the next request. Cancel safe.
    pub(crate) async fn next(&mut self) {
        if self.asked.changed().await.is_err() {
            // No request can come, so the program runs until it is killed.
            std::future::pending::<()>().await;
        }
    }
}

/// How long a program has to take note of its second request.
#[cfg(unix)]
const TAKE_NOTE: Duration = Duration::from_millis(100);

/// Counts the requests from now on. A thread with a runtime of its own does so,
/// and ends the process if nobody takes note of them, such as a program whose
/// handlers block all threads, or one that runs no server any more.
#[cfg(unix)]
fn heed_signals() -> io::Result<watch::Sender<usize>> {
    let asked = watch::Sender::new(0);
    let (begins, begun) = mpsc::channel();
    let told = asked.clone();
    let heed = move || {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(begins.send(Err(error))),
        };
        runtime.block_on(async {
            let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
            let (mut interrupt, mut terminate) = match (signal(kinds[0]), signal(kinds[1])) {
                (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
                (Err(error), _) | (_, Err(error)) => return drop(begins.send(Err(error))),
            };
            let _ = begins.send(Ok(()));
            loop {
                let kind = tokio::select! {
                    _ = interrupt.recv() => kinds[0],
                    _ = terminate.recv() => kinds[1],
                };
                heed_request(&told, kind).await;
            }
        });
    };
    thread::Builder::new().name("pode-signals".to_owned()).spawn(heed)?;
    begun.recv().map_err(io::Error::other)??;
    Ok(asked)
}

/// Counts a request, and ends the process if nobody takes note.
#[cfg(unix)]
async fn heed_request(told: &watch::Sender<usize>, kind: SignalKind) {
    let is_awaited = told.receiver_count() > 0;
    let mut is_first = false;
    told.send_modify(|times| {
        is_first = *times == 0;
        *times += 1;
    });
    let is_noted = is_first || timeout(TAKE_NOTE, told.closed()).await.is_ok();
    if !is_awaited || !is_noted {
        log::flush();
        // As shells tell of a process that a signal has ended.
        process::exit(128 + kind.as_raw_value());
    }
}

#[cfg(not(unix))]
impl StopRequests {
    /// Listens for Ctrl-C only from the first [`next`](Self::next) on.
    pub(crate) fn listen() -> io::Result<StopRequests> {
        Ok(StopRequests {})
    }

    /// Waits for the next request. Cancel safe.
    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // No request can come, so the program runs until it is killed.
            std::future::pending::<()>().await;
        }
    }
}
