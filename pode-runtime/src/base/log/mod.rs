//! The log of the terminal, set up in one line; `writer` writes it without waiting.
//! `ration` is for lines that strangers cause, `access` for those of each request and
//! WebSocket.

pub(crate) mod access;
pub(crate) mod ration;
mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::OnceCell;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tracing::Span;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use self::writer::LogWriter;
use crate::base::one_line::OneLine;
use crate::base::supervisor::{unwinding_stops_here, words};

/// How long the end of a program waits for its last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Prints the server's log to standard error: where it listens, each request and
/// each WebSocket, what it refuses, what went wrong.
///
/// For programs without a `tracing` subscriber of their own; if one is
/// installed, this does nothing. Call it first in `main`.
///
/// A request is told when there is its response, with its status, the length of the
/// body if that is known, the time since it came, and the address of its client; or
/// that it has no answer, as its client has gone or the server has stopped. What
/// becomes of the response isn't told. A client that has ended its side of an HTTP/1
/// connection before may have gone, as curl does when its time is up, or still read:
/// nobody can know, so the line says just that. A WebSocket is told when it opens and
/// when it is closed, with its close code. Of more than a thousand such lines at once,
/// and then a hundred in a second, the others are counted instead.
///
/// The environment variable `RUST_LOG` says what is printed. Without it, that is
/// everything of the levels ERROR, WARN and INFO.
///
/// | `RUST_LOG` | what is printed |
/// |---|---|
/// | `debug` | also the reason with which a request is refused |
/// | `info`, `warn`, `error` | everything of this level and those above it |
/// | `off` | nothing but panics |
/// | `info,pode::access=off` | no requests and no WebSockets |
/// | `warn,pode=debug` | more of pode than of the program and its other crates |
/// | `my_crate=trace` | what `my_crate` logs by the macros of `tracing`, and errors |
/// | `off,my_crate=trace` | only the former |
///
/// So these are levels for the beginnings of targets, which are paths of modules, with
/// `_` for the `-` of a crate's name. A word that is no level is a target, too, of
/// which everything is printed; unless it looks like a level, as `inf` and `warning`
/// do. A value that can't be read is told, and is ignored. Of the crate h2, whose
/// warnings any client can cause, only errors are printed unless `h2` is named.
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
    let wanted = std::env::var_os("RUST_LOG");
    let levels = levels(wanted.as_deref());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(log_writer)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        // Printing an error of the log can fail the same way.
        .log_internal_errors(false);
    // The levels come first, so that they are those of the whole: whatever is below
    // costs a comparison.
    let registry = tracing_subscriber::registry();
    let is_readable = levels.is_some();
    let subscriber = registry.with(levels.unwrap_or_else(default_levels)).with(lines);
    // A second subscriber is refused, as documented.
    if subscriber.try_init().is_ok() {
        std::panic::set_hook(Box::new(print_panic));
        // Creates the writer for this thread even if it logs nothing.
        log_writer();
        if !is_readable {
            tracing::warn!(
                "RUST_LOG={:?} is ignored; it may be a level (`error`, `warn`, `info`, `debug`, \
                 `trace`, `off`), or levels for paths of modules, as in `info,my_crate=debug`",
                wanted.unwrap_or_default()
            );
        }
    }
}

fn default_levels() -> Targets {
    with_quiet_h2(Targets::new().with_default(LevelFilter::INFO))
}

/// Returns the levels that `RUST_LOG` asks for; `None` if it can't be read.
fn levels(wanted: Option<&OsStr>) -> Option<Targets> {
    let wanted = wanted.map(OsStr::to_str).unwrap_or(Some(""))?;
    let directives = wanted.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    let directives: Vec<_> = directives.collect();
    if directives.is_empty() {
        return Some(default_levels());
    }
    if !directives.iter().all(|directive| can_be_meant(directive)) {
        return None;
    }
    let levels: Targets = directives.join(",").parse().ok()?;
    // Whoever wants more of one crate doesn't want to miss the errors of all others.
    let rest = levels.default_level().unwrap_or(LevelFilter::ERROR);
    Some(with_quiet_h2(levels.with_default(rest)))
}

/// Returns whether this may be a level, the path of a module, or the latter with a
/// level. `Targets` takes any text for a target, which then matches nothing.
fn can_be_meant(directive: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    let is_path = |text: &str| text.split("::").all(is_name);
    match directive.split_once('=') {
        Some((target, level)) => is_path(target) && !level.is_empty(),
        None if directive.parse::<LevelFilter>().is_ok() => true,
        None => is_path(directive) && !is_nearly_a_level(directive),
    }
}

/// Returns whether this is a level cut short or made longer, as in `inf`, `err` and
/// `warning`; or a switch, which can name no crate.
fn is_nearly_a_level(word: &str) -> bool {
    let word = word.to_lowercase();
    let levels = ["error", "warn", "info", "debug", "trace"];
    let is_near = |level: &str| level.starts_with(&word) || word.starts_with(level);
    ["true", "false"].contains(&&*word) || levels.into_iter().any(is_near)
}

/// h2 warns of each connection whose client resets many streams.
fn with_quiet_h2(levels: Targets) -> Targets {
    let is_named = levels.iter().any(|(target, _)| target.starts_with("h2"));
    match levels.default_level() {
        Some(level) if level > LevelFilter::ERROR && !is_named => {
            levels.with_target("h2", LevelFilter::ERROR)
        }
        _ => levels,
    }
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
/// # use pode_runtime as pode;
/// tracing_subscriber::fmt()
///     .with_writer(pode::log_writer)
///     .log_internal_errors(false)
///     .init();
/// std::panic::set_hook(Box::new(pode::print_panic));
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
/// without waiting for a reader, and with its message in one line, since that may
/// quote what a stranger sent.
///
/// A panic hook for programs with a `tracing` subscriber of their own. Without
/// it, a panic blocks its thread as long as nobody reads standard error.
///
/// ```
/// # use pode_runtime as pode;
/// std::panic::set_hook(Box::new(pode::print_panic));
/// ```
pub fn print_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let words = OneLine(words(panic.payload()));
    let mut text = match panic.location() {
        Some(place) => format!("\nthread '{name}' panicked at {place}: {words}\n"),
        None => format!("\nthread '{name}' panicked: {words}\n"),
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
    use tracing::Level;

    use super::*;

    #[test]
    fn what_is_logged_is_what_the_environment_asks_for() {
        // The most verbose level of each of these targets.
        let most = |wanted: Option<&str>| {
            let levels = levels(wanted.map(OsStr::new)).unwrap();
            ["pode_net", "pode::access", "h2::proto::streams", "shop"].map(|target| {
                let all = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
                all.into_iter().find(|level| levels.would_enable(target, level))
            })
        };
        let [error, warn, info, debug] =
            [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(Some);
        for wanted in [None, Some(""), Some(" , ")] {
            assert_eq!(most(wanted), [info, info, error, info]);
        }
        for (wanted, is) in [
            ("debug", [debug, debug, error, debug]),
            ("WARN", [warn, warn, error, warn]),
            ("off", [None; 4]),
            ("error", [error; 4]),
            ("pode=warn", [warn, warn, error, error]),
            ("off,pode=warn", [warn, warn, None, None]),
            ("off,,pode=warn", [warn, warn, None, None]),
            ("shop", [error, error, error, Some(Level::TRACE)]),
            ("pode::access", [error, Some(Level::TRACE), error, error]),
            ("info, pode::access=off", [info, None, error, info]),
            ("info,pode::access=off,", [info, None, error, info]),
            ("info,h2=debug", [info, info, debug, info]),
            ("warn,shop=debug", [warn, warn, error, debug]),
        ] {
            assert_eq!(most(Some(wanted)), is, "{wanted}");
        }
        for wanted in [
            "pode=loud",
            "a=b=c",
            "'info'",
            "info;pode=debug",
            "info pode=debug",
            "[span]=info",
            "my-shop=debug",
            "info,shop=",
            "=info",
            "inf",
            "ERR",
            "warning",
            "true",
        ] {
            let levels = levels(Some(OsStr::new(wanted)));
            assert!(levels.is_none(), "{wanted}: {levels:?}");
        }
    }
}
