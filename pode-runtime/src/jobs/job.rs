//! Jobs: what timers and schedules have in common.
//!
//! A job is a handler under a name, and how often it has fired. It knows no
//! time: when it fires is decided by `timer` and `schedule`, each on a clock of
//! its own. Whatever its handler does, an error or a panic goes to the log and
//! the next time comes.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::base::outcome::{BoxError, Outcome, failure};

/// A handler that fires; `Time` is how its clock tells when, `Context` what
/// the handler is handed of the server around.
pub(crate) struct Job<Time, Context> {
    /// `timer` or `schedule`.
    noun: &'static str,
    name: &'static str,
    /// How often it may fire; 0 means without end.
    limit: u64,
    handler: Handler<Time, Context>,
    /// The loop that fires writes it, and an invocation by hand reads it.
    progress: Mutex<Progress<Time>>,
}

type Handler<Time, Context> =
    Box<dyn Fn(Firing<Time, Context>) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

#[derive(Clone, Copy)]
struct Progress<Time> {
    count: u64,
    next: Option<Time>,
}

/// What the event of a timer or a schedule is made of.
pub(crate) struct Firing<Time, Context> {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) next: Option<Time>,
    pub(crate) context: Context,
}

impl<Time: Copy, Context: Clone> Job<Time, Context> {
    pub(crate) fn new<Handler, Done>(
        noun: &'static str,
        name: &'static str,
        limit: u64,
        handler: Handler,
    ) -> Job<Time, Context>
    where
        Handler: Fn(Firing<Time, Context>) -> Done + Send + Sync + 'static,
        Done: Future<Output: Outcome> + Send + 'static,
    {
        let handler: self::Handler<Time, Context> = Box::new(move |firing| {
            let done = handler(firing);
            async move { done.await.into_result() }.boxed()
        });
        let progress = Mutex::new(Progress { count: 0, next: None });
        Job { noun, name, limit, handler, progress }
    }

    pub(crate) fn noun(&self) -> &'static str {
        self.noun
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Tells whether it has fired as often as it may.
    pub(crate) fn is_done(&self) -> bool {
        self.limit > 0 && self.update(|_| ()).count >= self.limit
    }

    /// Notes when it will fire next, for whoever invokes it meanwhile.
    pub(crate) fn expect(&self, next: Option<Time>) {
        self.update(|progress| progress.next = next);
    }

    /// Runs the handler and counts it; `next` is when it would fire again.
    pub(crate) async fn fire(&self, next: Option<Time>, context: &Context) {
        let progress = self.update(|progress| {
            progress.count += 1;
            progress.next = next.filter(|_| progress.count != self.limit);
        });
        self.run(progress, context).await;
    }

    /// Runs the handler without counting it.
    pub(crate) async fn invoke(&self, context: &Context) {
        let progress = self.update(|_| ());
        self.run(progress, context).await;
    }

    fn update(&self, change: impl FnOnce(&mut Progress<Time>)) -> Progress<Time> {
        // Nothing that holds the lock can panic midway.
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        *progress
    }

    async fn run(&self, progress: Progress<Time>, context: &Context) {
        let Progress { count, next } = progress;
        let firing = Firing { name: self.name, count, next, context: context.clone() };
        // Calling a handler may panic, too, where it isn't an `async fn`.
        if let Some(reason) = failure(async { (self.handler)(firing).await }).await {
            tracing::error!("{self}: {reason:?}");
        }
    }
}

impl<Time, Context> fmt::Display for Job<Time, Context> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.noun, self.name)
    }
}

impl<Time, Context> fmt::Debug for Job<Time, Context> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}
