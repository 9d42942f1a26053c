//! How the system asks a program to end, and how the server asks its tasks.

use std::io;

use tokio::sync::watch;
use tokio::time::Instant;

/// Waits for a deadline; returns now if no sender is left to set one.
pub(crate) async fn told_to_stop(stopping: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let deadline = stopping.wait_for(Option::is_some).await;
    deadline.ok().and_then(|deadline| *deadline).unwrap_or_else(Instant::now)
}

/// Makes a write fail that would exceed the largest file size of this process,
/// such as a write to its log; otherwise it would end the process (SIGXFSZ).
#[cfg(unix)]
pub(crate) fn outlive_files_that_are_too_large() {
    use tokio::signal::unix::{SignalKind, signal};
    // No task has to wait for the signal: the handler suffices.
    let signal = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    if let Err(error) = signal {
        tracing::debug!(%error, "a file that meets its limit of size will end the process");
    }
}

/// Requests to end: Ctrl-C, and on Unix SIGTERM, as service managers send it.
pub(crate) struct StopRequests {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopRequests {
    /// Listens from now on; the signals no longer end the process by
    /// themselves.
    pub(crate) fn listen() -> io::Result<StopRequests> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(StopRequests {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next request. Cancel safe.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
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
