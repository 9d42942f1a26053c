//! Handlers that their clients can't cancel.
//!
//! A client that leaves has its request's future dropped. A handler that was
//! dropped there would have done half of its work.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tracing::Instrument;

use crate::app::context::Context;
use crate::base::outcome::panicked;
use crate::base::supervisor::caught;
use crate::http::activity::{Activity, RequestInProgress};
use crate::http::response::internal_error;

/// A handler that runs to its end once it has begun: if this is dropped before,
/// the handler goes on in a task of its own, and what it returns is discarded.
///
/// Until then no task is needed, which would cost more than most handlers do.
pub(crate) struct Uncancelled<T: Send + 'static, C: AsRef<Context>> {
    /// Absent at its end, and while it is polled: a handler that panics has
    /// ended.
    handler: Option<BoxFuture<'static, T>>,
    has_begun: bool,
    context: C,
    /// The connection, which counts until the handler has ended; unknown in an
    /// embedded server.
    connection: Option<Arc<Activity>>,
}

impl<T: Send + 'static, C: AsRef<Context>> Uncancelled<T, C> {
    pub(crate) fn new(
        handler: BoxFuture<'static, T>,
        context: C,
        connection: Option<Arc<Activity>>,
    ) -> Uncancelled<T, C> {
        Uncancelled { handler: Some(handler), has_begun: false, context, connection }
    }
}

impl<T: Send + 'static, C: AsRef<Context> + Unpin> Future for Uncancelled<T, C> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<T> {
        let this = self.get_mut();
        this.has_begun = true;
        let mut handler = this.handler.take().expect("it is not polled after its end");
        let polled = handler.as_mut().poll(task);
        if polled.is_pending() {
            this.handler = Some(handler);
        }
        polled
    }
}

impl<T: Send + 'static, C: AsRef<Context>> Drop for Uncancelled<T, C> {
    fn drop(&mut self) {
        let Some(handler) = self.handler.take().filter(|_| self.has_begun) else { return };
        // Without a runtime, everything has ended.
        let Ok(runtime) = Handle::try_current() else { return };
        let Context { client_tasks, cut_off, .. } = self.context.as_ref();
        let request = self.connection.as_ref().map(RequestInProgress::left);
        let cut_off = cut_off.clone();
        let to_its_end = async move {
            let _request = request;
            let ended = cut_off.run_until_cancelled(caught(handler)).await;
            if let Some(Err(panic)) = ended {
                internal_error(&panicked(&panic));
            }
        };
        client_tasks.spawn_on(to_its_end.in_current_span(), &runtime);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use futures_util::FutureExt;
    use pode_core::hub::Hub;
    use tokio::sync::oneshot;

    use super::*;
    use crate::app::context::context_of;
    use crate::base::limits::Limits;
    use crate::base::log::Collected;
    use crate::net::connection_limit::ConnectionLimit;
    use crate::push::publisher::Signals;

    fn context() -> Arc<Context> {
        context_of(Signals::new(Hub::new([("/", 1)]).0, Duration::ZERO))
    }

    #[tokio::test]
    async fn a_connection_counts_until_its_handlers_have_ended() {
        let limits = Limits { max_connections: 1, ..Limits::default() };
        let limit = ConnectionLimit::of_server(&limits, usize::MAX);
        let connection = Arc::new(Activity::of_http_1(limit.enter(None).ok()));
        let (end, ended) = oneshot::channel::<()>();
        let handler = ended.map(drop).boxed();
        let mut handler = Uncancelled::new(handler, context(), Some(Arc::clone(&connection)));
        assert!((&mut handler).now_or_never().is_none());
        drop(handler);
        assert_eq!(connection.in_progress(), 1);
        drop(connection);
        assert!(limit.enter(None).is_err());
        end.send(()).unwrap();
        limit.room().await;
    }

    #[tokio::test]
    async fn what_has_not_begun_or_has_ended_does_not_go_on() {
        let context = context();
        let (never, done) = (pending::<()>().boxed(), async {}.boxed());
        drop(Uncancelled::new(never, Arc::clone(&context), None));
        Uncancelled::new(done, Arc::clone(&context), None).await;
        let panics = async { panic!("as the test wants it") }.boxed();
        let panicked: Result<(), _> =
            caught(Uncancelled::new(panics, Arc::clone(&context), None)).await;
        assert!(panicked.is_err());
        assert!(context.client_tasks.is_empty());
    }

    #[tokio::test]
    async fn a_panic_that_nobody_waits_for_is_logged() {
        let (log, _guard) = Collected::begin();
        let context = context();
        let (end, ended) = oneshot::channel::<()>();
        let panics = ended.map(|_| panic!("as the test wants it")).boxed();
        let mut handler: Uncancelled<(), _> = Uncancelled::new(panics, Arc::clone(&context), None);
        assert!((&mut handler).now_or_never().is_none());
        drop(handler);
        end.send(()).unwrap();
        context.client_tasks.close();
        context.client_tasks.wait().await;
        assert!(
            log.text().contains("the handler panicked: as the test wants it"),
            "{}",
            log.text()
        );
    }
}
