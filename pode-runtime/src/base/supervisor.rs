//! Supervision of the tasks that live as long as their server.
//!
//! A task that panics is logged once and restarted with the state it has kept;
//! the work it was doing at that moment ends. A task that can't be restarted is
//! reported as a [`Failure`], which ends the whole server: it never goes on
//! without one of its parts.
//!
//! Such a panic is a bug in this crate or in the program's log subscriber,
//! which is called wherever something is logged.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use std::{fmt, mem};

use futures_util::{FutureExt, TryFutureExt};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::base::error::EndedError;
use crate::base::one_line::OneLine;

/// A panic that was caught.
pub(crate) struct Panic {
    raised_with: Option<Box<dyn Any + Send>>,
}

impl Panic {
    /// Returns its message.
    pub(crate) fn words(&self) -> &str {
        self.raised_with.as_deref().map_or("without words", words)
    }
}

impl Drop for Panic {
    /// The payload may be of the user's own type and panic when it is dropped,
    /// with a payload that does so again. That second payload is leaked.
    fn drop(&mut self) {
        let raised_with = self.raised_with.take();
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(raised_with))) {
            mem::forget(again);
        }
    }
}

impl From<Box<dyn Any + Send>> for Panic {
    fn from(raised_with: Box<dyn Any + Send>) -> Panic {
        Panic { raised_with: Some(raised_with) }
    }
}

/// How long a task pauses if it panics repeatedly.
const PAUSE: Duration = Duration::from_secs(1);

/// Supervises one task.
pub(crate) struct Supervisor {
    task: String,
    /// When it last panicked.
    panicked: Option<Instant>,
}

impl Supervisor {
    /// Supervises a task; the log says that "the renewal of certificates"
    /// panicked, for example.
    pub(crate) fn new(task: impl fmt::Display) -> Supervisor {
        Supervisor { task: task.to_string(), panicked: None }
    }

    /// Does some work of the task. Returns `None` if the work panicked: the
    /// panic is logged, and the caller has to begin again. Cancel safe if the
    /// work is.
    pub(crate) async fn watch<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        match caught(work).await {
            Ok(done) => Some(done),
            Err(panic) => {
                self.tell(&panic, "it starts again");
                self.pause().await;
                None
            }
        }
    }

    /// Logs a panic and what follows from it.
    pub(crate) fn tell(&self, panic: &Panic, then: &str) {
        let words = panic.words();
        unwinding_stops_here(|| {
            tracing::error!("{} panicked: {}; {then}", self.task, OneLine(words))
        });
    }

    /// Waits before the task starts again, if its previous panic was less than
    /// [`PAUSE`] ago.
    pub(crate) async fn pause(&mut self) {
        let again = self.panicked.replace(Instant::now());
        if again.is_some_and(|panicked| panicked.elapsed() < PAUSE) {
            sleep(PAUSE).await;
        }
    }
}

/// Does some work, and returns its panic if it panicked.
pub(crate) fn caught<T>(work: impl Future<Output = T>) -> impl Future<Output = Result<T, Panic>> {
    // The caller has to know what may be half done.
    AssertUnwindSafe(work).catch_unwind().map_err(Panic::from)
}

/// Does the same with synchronous work.
pub(crate) fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(work)).map_err(Panic::from)
}

/// Discards the result of a task. A panic has been reported already.
pub(crate) fn has_ended<T>(ended: Result<T, JoinError>) {
    if let Err(Ok(panic)) = ended.map_err(JoinError::try_into_panic) {
        drop(Panic::from(panic));
    }
}

/// How long tasks that are aborted may take to be dropped.
const DROP_TIME: Duration = Duration::from_millis(100);

/// Waits for tasks, at most until the deadline, then aborts those that are left.
/// Their panics have been reported already. A task whose handler blocks its
/// thread ends only then, and isn't waited for.
///
/// The log says how many of `what` are aborted.
pub(crate) async fn finish_by(tasks: &mut JoinSet<()>, deadline: Instant, what: &str) {
    let all_ended = async |tasks: &mut JoinSet<()>| {
        while let Some(ended) = tasks.join_next().await {
            has_ended(ended);
        }
    };
    let _ = timeout_at(deadline, all_ended(tasks)).await;
    if !tasks.is_empty() {
        tracing::warn!("{} {what} aren't done by the deadline and are cut off", tasks.len());
    }
    tasks.abort_all();
    let _ = timeout(DROP_TIME, all_ended(tasks)).await;
}

/// Returns the result of a task, or resumes its panic; `None` if the task was
/// aborted.
pub(crate) fn joined<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended {
        Ok(value) => Some(value),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_cut_off) => None,
        },
    }
}

/// Returns the message of a panic.
pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

/// Logs something where a panic of the log subscriber must not propagate: in
/// code that goes on after any panic, and in destructors.
pub(crate) fn unwinding_stops_here(log: impl FnOnce()) {
    // The panic hook has reported it already.
    let _ = caught_now(log);
}

/// Collects the reports of what ends a server. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure {
    reported: watch::Sender<Option<EndedError>>,
}

impl Failure {
    /// Reports that a task has ended; only the first report counts.
    pub(crate) fn report(&self, task: &str, reason: String) {
        let error = EndedError { task: task.to_owned(), reason };
        unwinding_stops_here(|| tracing::error!("{error}"));
        self.reported.send_if_modified(|reported| {
            let is_first = reported.is_none();
            reported.get_or_insert(error);
            is_first
        });
    }

    /// Waits until a task is reported. Cancel safe.
    pub(crate) async fn reported(&self) -> EndedError {
        let mut reported = self.reported.subscribe();
        let error = reported.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
        match error {
            Some(error) => error,
            // Unreachable: `self` holds the sender.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_often_pauses() {
        let mut supervisor = Supervisor::new("a test");
        let started = Instant::now();
        assert_eq!(supervisor.watch(async { 7 }).await, Some(7));
        let mut panic = async || supervisor.watch(async { panic!("as the test wants it") }).await;
        let nothing: Option<()> = panic().await;
        assert_eq!(nothing, None);
        assert_eq!(started.elapsed(), Duration::ZERO);
        panic().await;
        assert_eq!(started.elapsed(), PAUSE);
        sleep(PAUSE).await;
        panic().await;
        assert_eq!(started.elapsed(), 2 * PAUSE);
    }

    /// Panics when it is dropped, with a payload that does so, too.
    struct Bomb {
        left: u32,
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.left > 0 && !std::thread::panicking() {
                std::panic::panic_any(Bomb { left: self.left - 1 });
            }
        }
    }

    #[tokio::test]
    async fn what_panics_when_it_is_dropped_goes_no_further() {
        for left in 0..4 {
            let mut supervisor = Supervisor::new("a test");
            let explode = async { std::panic::panic_any(Bomb { left }) };
            let nothing: Option<()> = supervisor.watch(explode).await;
            assert_eq!(nothing, None);
            unwinding_stops_here(|| std::panic::panic_any(Bomb { left }));
            has_ended(tokio::spawn(async move { std::panic::panic_any(Bomb { left }) }).await);
        }
    }

    #[tokio::test]
    async fn the_first_report_is_why_a_server_ends() {
        let failure = Failure::default();
        for reason in ["it panicked", "it panicked, too"] {
            failure.report("a task", reason.to_owned());
        }
        let error = failure.reported().await;
        assert_eq!(error.to_string(), "the server can't go on without a task: it panicked");
    }
}
