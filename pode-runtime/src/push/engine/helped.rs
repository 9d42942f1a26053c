//! A task that goes on although the worker that is to run it blocks.
//!
//! A handler that sends wakes shards, and tokio keeps the last task that a worker
//! has woken for that worker alone. If the handler then blocks its thread, the
//! shard would wait for it, and the shard's clients for their messages.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::task::{Context, Poll};

use tokio::sync::Notify;

/// Spawns a task; where workers may be `blocked`, twice: whichever is woken does
/// what there is to do, and both are when a worker blocks.
pub(super) fn spawn(
    task: impl Future<Output = ()> + Send + 'static,
    blocked: Option<&Arc<Notify>>,
) {
    let Some(blocked) = blocked else {
        tokio::spawn(task);
        return;
    };
    let task = Mutex::new(Some(Box::pin(task) as BoxedTask));
    let shared = Arc::new(Shared { task, again: AtomicBool::new(false) });
    for _ in 0..2 {
        let (shared, blocked) = (Arc::clone(&shared), Arc::clone(blocked));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    () = poll_fn(|context| shared.poll(context)) => break,
                    () = blocked.notified() => {}
                }
            }
            // The other one is to end, too.
            blocked.notify_waiters();
        });
    }
}

type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Shared {
    /// `None` when it is done.
    task: Mutex<Option<BoxedTask>>,
    /// Whether somebody was woken while somebody else was polling.
    again: AtomicBool,
}

impl Shared {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        self.again.store(true, Ordering::SeqCst);
        let mut slot = match self.task.try_lock() {
            Ok(slot) => slot,
            // Whoever is polling looks at `again` afterwards.
            Err(TryLockError::WouldBlock) => return Poll::Pending,
            Err(TryLockError::Poisoned(slot)) => slot.into_inner(),
        };
        self.again.store(false, Ordering::SeqCst);
        // If it panics, it is done.
        let Some(mut task) = slot.take() else { return Poll::Ready(()) };
        if task.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        *slot = Some(task);
        drop(slot);
        if self.again.load(Ordering::SeqCst) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::sync::mpsc;

    use super::*;
    use crate::base::watchdog::Watchdog;

    #[test]
    fn what_a_blocking_task_has_woken_goes_on() {
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let _runtime = runtime.enter();
        let watchdog = Watchdog::start().unwrap().unwrap();
        let (asks, mut asked) = mpsc::unbounded_channel();
        let (answers, answer) = sync_channel(1);
        let answering = async move {
            while let Some(question) = asked.recv().await {
                answers.send(question).unwrap();
            }
        };
        spawn(answering, Some(watchdog.blocked()));
        for question in 0..3 {
            let (let_go, held) = sync_channel::<()>(0);
            let asks = asks.clone();
            let blocking = runtime.spawn(async move {
                asks.send(question).unwrap();
                let _ = held.recv();
            });
            assert_eq!(answer.recv_timeout(Duration::from_secs(60)), Ok(question));
            drop(let_go);
            runtime.block_on(blocking).unwrap();
        }
        drop(asks);
        while runtime.metrics().num_alive_tasks() > 0 {
            std::thread::yield_now();
        }
    }
}
