//! Faults in the server, and their counts: the log panics on request, so that
//! the task panics which writes the line.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::panic;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pode::log_writer;
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The counts of a server so far.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Seen {
    /// Panics of the log on request.
    pub(crate) armed_panics: u64,
    /// All panics.
    pub(crate) panics: u64,
    /// Lines that were written to the log, or would have been.
    pub(crate) lines: u64,
    /// How often the timer and the schedule fired.
    pub(crate) beats: u64,
    pub(crate) minutes: u64,
    /// How often SIGHUP made the server check its certificates.
    pub(crate) hang_ups: u64,
    /// How often another program connected to the hand-over socket.
    pub(crate) strangers: u64,
}

static SEEN: Mutex<Seen> = Mutex::new(Seen {
    armed_panics: 0,
    panics: 0,
    lines: 0,
    beats: 0,
    minutes: 0,
    hang_ups: 0,
    strangers: 0,
});

/// The log panics in the next line that contains these words.
static ARMED: Mutex<Option<String>> = Mutex::new(None);

/// Log messages that show that a task works.
pub(crate) const HANG_UP: &str = "as SIGHUP asks";
pub(crate) const STRANGER: &str = "a process could not take over";

/// How many lines fill the log: more than the mebibyte that waits for a reader.
const FILLING_LINES: usize = 20_000;

/// Locks the counts, to read or change them.
pub(crate) fn seen() -> MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn arm(text: String) {
    *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
}

/// Logs more than can wait for a reader.
pub(crate) async fn fill_log() {
    for _ in 0..FILLING_LINES {
        tracing::info!("{}", "what nobody reads ".repeat(6));
        tokio::task::consume_budget().await;
    }
}

/// Sets up a log whose lines are numbered, and which panics on request. Call it
/// once.
///
/// Both layers share one filter: with its own filter, the layer that writes would
/// leave out the line after a panic of the other.
pub(crate) fn log_with_panics() {
    let lines = tracing_subscriber::fmt::layer()
        .with_timer(Numbers)
        .with_writer(log_writer)
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false);
    let is_wanted = filter_fn(|it| it.is_span() || *it.level() <= LevelFilter::INFO);
    tracing_subscriber::registry().with(Panics).with(lines).with(is_wanted).init();
    panic::set_hook(Box::new(|panic| {
        seen().panics += 1;
        // Not by `tracing`, which may be the one that panics.
        let line = format!("{} a panic: {:?}\n", next_line(), panic.to_string());
        // The writer never fails.
        let _ = log_writer().write_all(line.as_bytes());
    }));
}

/// Writes numbers instead of the time, so that every missing line is noticed.
struct Numbers;

impl FormatTime for Numbers {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", next_line())
    }
}

fn next_line() -> u64 {
    let mut seen = seen();
    seen.lines += 1;
    seen.lines
}

/// Panics on request, before the line is written.
struct Panics;

impl<S: Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        may_panic(&text.0);
        if text.0.contains(HANG_UP) {
            seen().hang_ups += 1;
        } else if text.0.contains(STRANGER) {
            seen().strangers += 1;
        }
    }

    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut text = Text(format!("{} ", span.metadata().name()));
        span.record(&mut text);
        may_panic(&text.0);
    }
}

fn may_panic(text: &str) {
    let armed = ARMED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take_if(|armed| text.contains(armed.as_str()));
    if let Some(armed) = armed {
        seen().armed_panics += 1;
        panic!("the log can't write {armed:?}");
    }
}

/// A log line: words, and fields as `name=value`, each followed by a space.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a `String` doesn't fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?} "),
            name => write!(self.0, "{name}={value:?} "),
        };
    }
}
