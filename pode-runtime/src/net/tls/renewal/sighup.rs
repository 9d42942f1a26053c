//! SIGHUP, by which the system asks a server to read its certificates again.

use std::io;

/// SIGHUP, which asks servers to read their files again.
pub(super) struct Sighup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Sighup {
    /// Listens from now on; the signal no longer ends the process.
    pub(super) fn listen() -> io::Result<Sighup> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Sighup { signal: signal(SignalKind::hangup())? })
    }

    /// Waits for the next one. Cancel safe.
    pub(super) async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            // No more signals can come.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Sighup {
    /// This system has no SIGHUP.
    pub(super) fn listen() -> io::Result<Sighup> {
        Ok(Sighup {})
    }

    pub(super) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
