//! How a server is asked by the system to read its certificates anew.

use std::io;

/// SIGHUP, by which servers are asked to read their files anew.
pub(super) struct HangUp {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl HangUp {
    /// Listens from now on; the signal no longer ends the process.
    pub(super) fn listen() -> io::Result<HangUp> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(HangUp { signal: signal(SignalKind::hangup())? })
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
impl HangUp {
    /// There is none here.
    pub(super) fn listen() -> io::Result<HangUp> {
        Ok(HangUp {})
    }

    pub(super) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
