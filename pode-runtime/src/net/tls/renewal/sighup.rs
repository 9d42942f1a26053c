//! How a server is asked by the system to read its certificates anew.

use std::io;

/// SIGHUP, by which servers are asked to read their files anew.
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
            // No more can come.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Sighup {
    /// There is none here.
    pub(super) fn listen() -> io::Result<Sighup> {
        Ok(Sighup {})
    }

    pub(super) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
