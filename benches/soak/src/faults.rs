//! Faults in the server, and what it tells of them: its log panics where it is
//! told to, so that the task panics which logs there.

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

/// What has happened in a server so far.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Seen {
    /// Panics of the log, as it was told to.
    pub(crate) armed_panics: u64,
    /// All panics.
    pub(crate) panics: u64,
    /// What was written to the log, or would have been.
    pub(crate) lines: u64,
    /// How often the timer and the schedule fired.
    pub(crate) beats: u64,
    pub(crate) minutes: u64,
    /// How often certificates were looked at because of SIGHUP.
    pub(crate) hang_ups: u64,
    /// How often somebody at the hand-over socket was none of this kind.
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

/// In what is logged next with these words, the log panics.
static ARMED: Mutex<Option<String>> = Mutex::new(None);

/// What is logged by those who are seen to work by that.
pub(crate) const HANG_UP: &str = "as SIGHUP asks";
pub(crate) const STRANGER: &str = "somebody asked for this server's place";

/// How many lines fill the log up: more than the mebibyte that waits for a
/// reader.
const FILLING_LINES: usize = 20_000;

/// Returns what was seen, for one more thing to be.
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

/// Sets up a log whose lines are numbered, and which can be told to panic. To
/// be called once.
///
/// What is let through is decided for both layers at once: by a filter of its
/// own, the one that writes would leave out the line behind a panic of the other.
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
        // Not by `tracing`, in the midst of which it may be.
        let line = format!("{} a panic: {:?}\n", next_line(), panic.to_string());
        // It never fails.
        let _ = log_writer().write_all(line.as_bytes());
    }));
}

/// Writes numbers where others write the time, so that none goes missing
/// without a word.
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

/// Panics where it is told to, before the line is written.
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

/// What is logged: words, and fields as `name=value`, each with a space behind it.
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
