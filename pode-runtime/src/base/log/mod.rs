//! The log of the terminal, set up in one line; `writer` writes it without waiting.
//! `ration` is for lines that strangers cause.

pub(crate) mod ration;
mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::OnceCell;
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tracing::{Level, Span};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use self::writer::LogWriter;
use crate::base::supervisor::{unwinding_stops_here, words};

/// How long the end of a program waits for its last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Prints the server's log to standard error: where it listens, what it
/// refuses, what went wrong.
///
/// For programs without a `tracing` subscriber of their own; if one is
/// installed, this does nothing. Events below the level INFO are left out, and
/// warnings of the crate h2, which any client can cause.
///
/// Logging a line never fails and never waits. Up to a mebibyte is buffered for
/// a reader that stalls; lines that can't be written are dropped, and a warning
/// gives their number as soon as it can be written. Panics are printed the same
/// way, so that this holds for them, too: set a panic hook of your own after
/// this call. The last lines are written when [`Server::run`] is done, and when
/// the thread that called this ends. That may take a second if nobody reads
/// them.
///
/// [`Server::run`]: crate::Server::run
pub fn log_to_terminal() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log_writer)
        .with_ansi(io::stderr().is_terminal())
        .with_max_level(Level::INFO)
        .with_target(false)
        // Printing an error of the log can fail the same way.
        .log_internal_errors(false)
        .finish();
    // A second subscriber is refused, as documented.
    if subscriber.with(levels()).try_init().is_ok() {
        std::panic::set_hook(Box::new(print_panic));
        // Creates the writer for this thread even if it logs nothing.
        log_writer();
    }
}

/// h2 warns of each connection whose client resets many streams.
fn levels() -> Targets {
    Targets::new().with_default(Level::INFO).with_target("h2", Level::ERROR)
}

/// Returns the writer that [`log_to_terminal`] uses: it writes to standard
/// error, never fails and never waits.
///
/// For a `tracing` subscriber of your own, which would otherwise panic if the
/// log can't be written, or wait if nobody reads it. Lost lines are reported by
/// a `tracing` event of the level WARN. The last lines are written when
/// [`Server::run`] is done, and when the thread that logged first ends. A
/// subscriber doesn't handle panics; [`print_panic`] does.
///
/// ```
/// tracing_subscriber::fmt()
///     .with_writer(pode_runtime::log_writer)
///     .log_internal_errors(false)
///     .init();
/// std::panic::set_hook(Box::new(pode_runtime::print_panic));
/// ```
///
/// [`Server::run`]: crate::Server::run
pub fn log_writer() -> LogWriter {
    let begin = || {
        // Flushes also for programs that don't run a server to its end.
        let _ = LAST_WORDS.try_with(|last| _ = last.set(FlushWhenDropped));
        LogWriter::new(io::stderr(), tell_lost)
    };
    WRITER.get_or_init(begin).clone()
}

/// Prints a panic as [`log_to_terminal`] does: like the standard library, but
/// without waiting for a reader, and with its message in Debug form, since that
/// may quote what a stranger sent.
///
/// A panic hook for programs with a `tracing` subscriber of their own. Without
/// it, a panic blocks its thread as long as nobody reads standard error.
///
/// ```
/// std::panic::set_hook(Box::new(pode_runtime::print_panic));
/// ```
pub fn print_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let words = words(panic.payload());
    let mut text = match panic.location() {
        Some(place) => format!("\nthread '{name}' panicked at {place}: {words:?}\n"),
        None => format!("\nthread '{name}' panicked: {words:?}\n"),
    };
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("stack backtrace:\n{backtrace}\n"));
    }
    // It never fails.
    let _ = log_writer().write_all(text.as_bytes());
}

static WRITER: OnceLock<LogWriter> = OnceLock::new();

thread_local! {
    static LAST_WORDS: OnceCell<FlushWhenDropped> = const { OnceCell::new() };
}

struct FlushWhenDropped;

impl Drop for FlushWhenDropped {
    fn drop(&mut self) {
        flush();
    }
}

/// Returns a span that costs nothing where nobody subscribes to it; otherwise
/// the crate `log` would be asked at each entry.
pub(crate) fn if_enabled(span: Span) -> Span {
    if span.is_disabled() { Span::none() } else { span }
}

/// Waits up to [`LAST_LINES`] until everything logged so far is written.
pub(crate) fn flush() {
    if let Some(writer) = WRITER.get() {
        writer.flush_within(LAST_LINES);
    }
}

fn tell_lost(lines: usize) {
    unwinding_stops_here(|| {
        tracing::warn!("{lines} lines of the log could not be written, and are missing");
    });
}

/// Collects what the current thread logs, for tests.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Collected {
    bytes: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    /// The text of the line in which it panics.
    fragile_at: Option<&'static str>,
}

#[cfg(test)]
impl Collected {
    /// Collects until the second value is dropped.
    pub(crate) fn begin() -> (Collected, tracing::subscriber::DefaultGuard) {
        Collected::default().collect()
    }

    /// Does the same, and panics on every line that contains this text.
    pub(crate) fn begin_fragile(
        text: &'static str,
    ) -> (Collected, tracing::subscriber::DefaultGuard) {
        Collected { fragile_at: Some(text), ..Collected::default() }.collect()
    }

    fn collect(self) -> (Collected, tracing::subscriber::DefaultGuard) {
        let log = self;
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
        let is_fragile = |text: &str| String::from_utf8_lossy(bytes).contains(text);
        assert!(!self.fragile_at.is_some_and(is_fragile), "as the test wants it");
        self.bytes.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_can_have_a_library_say_is_left_out() {
        assert!(levels().would_enable("pode_runtime", &Level::INFO));
        assert!(levels().would_enable("h2", &Level::ERROR));
        assert!(!levels().would_enable("h2::proto::streams", &Level::WARN));
        assert!(!levels().would_enable("pode_runtime", &Level::DEBUG));
    }
}
