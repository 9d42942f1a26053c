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
