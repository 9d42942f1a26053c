//! A log for the terminal, in one line.

use std::io::IsTerminal;

/// Prints what the server has to say to standard error: where it listens, what
/// it refuses, what went wrong.
///
/// For programs without a `tracing` subscriber of their own; where one is
/// installed, this does nothing. Events below the level INFO are left out.
pub fn log_to_terminal() {
    // A second subscriber is refused, which is what this promises.
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing::Level::INFO)
        .with_target(false)
        .try_init();
}

/// Collects what the current thread logs, for tests.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Collected {
    bytes: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

#[cfg(test)]
impl Collected {
    /// Begins, until the second value is dropped.
    pub(crate) fn begin() -> (Collected, tracing::subscriber::DefaultGuard) {
        let log = Collected::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Returns what was logged so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl std::io::Write for Collected {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
