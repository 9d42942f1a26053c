//! Jobs: the common part of timers and schedules.
//!
//! A job is a named handler and the number of times it has fired. It knows no
//! time: `timer` and `schedule` decide when it fires, each by a clock of its
//! own. If its handler fails or panics, this is logged, and the job fires again
//! next time.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::base::one_line::OneLine;
use crate::base::outcome::{BoxError, Outcome, failure};

/// A handler that fires. `Time` is the type of its clock's times, `Context`
/// what the handler gets of the enclosing server.
pub(crate) struct Job<Time, Context> {
    /// `timer` or `schedule`.
    noun: &'static str,
    name: &'static str,
    /// How often it may fire; 0 means without limit.
    limit: u64,
    handler: Handler<Time, Context>,
    /// The loop that fires writes it, and a manual invocation reads it.
    progress: Mutex<Progress<Time>>,
}

type Handler<Time, Context> =
    Box<dyn Fn(Firing<Time, Context>) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

#[derive(Clone, Copy)]
struct Progress<Time> {
    count: u64,
    next: Option<Time>,
    fence: Option<u64>,
}

/// The content of an event of a timer or a schedule.
pub(crate) struct Firing<Time, Context> {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) next: Option<Time>,
    /// Rises from one to the next on all nodes, if only one of them fires.
    pub(crate) fence: Option<u64>,
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
        let progress = Mutex::new(Progress { count: 0, next: None, fence: None });
        Job { noun, name, limit, handler, progress }
    }

    pub(crate) fn noun(&self) -> &'static str {
        self.noun
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns what names it among all jobs of a server.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.noun, self.name)
    }

    /// Returns whether it has fired as often as it may.
    pub(crate) fn is_done(&self) -> bool {
        self.limit > 0 && self.update(|_| ()).count >= self.limit
    }

    /// Notes when it will fire next, for invocations meanwhile.
    pub(crate) fn expect(&self, next: Option<Time>) {
        self.update(|progress| progress.next = next);
    }

    /// Runs the handler and counts it; `next` is when it would fire again.
    pub(crate) async fn fire(&self, next: Option<Time>, fence: Option<u64>, context: &Context) {
        let progress = self.update(|progress| {
            progress.count += 1;
            progress.next = next.filter(|_| progress.count != self.limit);
            // A clock may have been set back.
            progress.fence = fence.map(|fence| fence.max(progress.fence.map_or(0, |it| it + 1)));
        });
        self.run(progress, context).await;
    }

    /// Runs the handler without counting it.
    pub(crate) async fn invoke(&self, context: &Context) {
        let progress = Progress { fence: None, ..self.update(|_| ()) };
        self.run(progress, context).await;
    }

    fn update(&self, change: impl FnOnce(&mut Progress<Time>)) -> Progress<Time> {
        // No code panics while it holds the lock.
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        *progress
    }

    async fn run(&self, progress: Progress<Time>, context: &Context) {
        let Progress { count, next, fence } = progress;
        let firing = Firing { name: self.name, count, next, fence, context: context.clone() };
        // Calling a handler may panic, too, if it isn't an `async fn`.
        if let Some(reason) = failure(async { (self.handler)(firing).await }).await {
            tracing::error!("{self}: {}", OneLine(&reason));
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
