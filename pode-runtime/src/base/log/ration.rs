//! Lines that strangers can cause as often as they like: few are logged, the
//! others counted, and what they quote is cut.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::token_bucket::TokenBucket;

/// How many lines of a kind are logged at once, and how long it takes until one
/// more may be.
const LINES: u32 = 10;
const REFILL: Duration = Duration::from_secs(1);

/// The same for lines that tell of each request or connection: everything while
/// developing, and a bounded part of what a busy server does.
const TRAFFIC_LINES: u32 = 1000;
const TRAFFIC_REFILL: Duration = Duration::from_millis(10);

/// How many bytes of what a stranger sent a line quotes.
const QUOTED_BYTES: usize = 200;

/// Logs a line of a kind that strangers cause, unless there were too many; then
/// the next line says how many are missing. Nothing is counted or evaluated if
/// nobody wants the line.
macro_rules! rationed {
    ($level:ident, $($line:tt)*) => {
        if tracing::enabled!($crate::base::log::ration::level::$level) {
            static RATION: $crate::base::log::ration::Ration =
                $crate::base::log::ration::Ration::new();
            if let Some(missing) = RATION.take() {
                if missing > 0 {
                    tracing::$level!("{missing} lines like the next one are left out");
                }
                tracing::$level!($($line)*);
            }
        }
    };
}
pub(crate) use rationed;

/// The levels by the names of their macros.
#[expect(non_upper_case_globals, reason = "the macros are named like that")]
pub(crate) mod level {
    use tracing::Level;

    pub(crate) const error: Level = Level::ERROR;
    pub(crate) const warn: Level = Level::WARN;
    pub(crate) const info: Level = Level::INFO;
}

/// Which lines of a kind are logged.
#[derive(Debug)]
pub(crate) struct Ration {
    lines: u32,
    refill: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bucket: TokenBucket,
    missing: u64,
}

impl Ration {
    pub(crate) const fn new() -> Ration {
        Ration::of(LINES, REFILL)
    }

    /// Makes one for lines that tell of each request or connection.
    pub(crate) const fn of_traffic() -> Ration {
        Ration::of(TRAFFIC_LINES, TRAFFIC_REFILL)
    }

    const fn of(lines: u32, refill: Duration) -> Ration {
        let state = State { bucket: TokenBucket::new(), missing: 0 };
        Ration { lines, refill, state: Mutex::new(state) }
    }

    /// Returns whether to log a line now, and if so how many were left out
    /// since the last one.
    pub(crate) fn take(&self) -> Option<u64> {
        // Nothing panics while it is locked.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.bucket.take(self.lines, self.refill) {
            return Some(std::mem::take(&mut state.missing));
        }
        state.missing += 1;
        None
    }
}

/// What a stranger sent, in Debug form; only its beginning if it is long.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl fmt::Debug for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = &self.0[..self.0.len().min(QUOTED_BYTES)];
        write!(f, "\"{}\"", begin.escape_ascii())?;
        match self.0.len() - begin.len() {
            0 => Ok(()),
            more => write!(f, " and {more} bytes more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn few_lines_are_logged_and_the_others_counted() {
        let ration = Ration::new();
        let taken = |times| (0..times).filter_map(|_| ration.take()).collect::<Vec<_>>();
        assert_eq!(taken(1000), [0; 10]);
        advance(REFILL * 2).await;
        assert_eq!(taken(1000), [990, 0]);
        advance(REFILL * 1000).await;
        assert_eq!(taken(1000).len(), 10);
    }

    #[test]
    fn what_is_quoted_is_cut_and_escaped() {
        assert_eq!(format!("{:?}", Quoted(b"/a\n\"\xff")), r#""/a\n\"\xff""#);
        let long = format!("{:?}", Quoted(&[b'a'; 32_000]));
        assert_eq!(long, format!("\"{}\" and 31800 bytes more", "a".repeat(200)));
    }
}
