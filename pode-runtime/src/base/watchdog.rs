//! What handlers that block their threads can't hold up: other requests, the
//! deadline of a stop, and the end of the process.
//!
//! One of a runtime's workers waits for sockets and timers, while the others
//! sleep. If it takes up a task that blocks, nobody waits for sockets until that
//! task is done. tokio leaves it at that; threads outside of the runtime don't.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{io, process, thread};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Notify, oneshot};

use crate::base::log;
use crate::base::supervisor::unwinding_stops_here;

/// How often the workers are looked at. A worker that blocks is noticed by the
/// second look.
const LOOK: Duration = Duration::from_millis(40);

/// For how many looks, each 40 to 80 ms, the workers of a runtime that shuts down
/// may be busy; and if the program was asked twice.
const LOOKS_TO_LEAVE: u32 = 25;
const LOOKS_AT_ONCE: u32 = 2;

/// Looks at the workers of a runtime, and lets another one wait for sockets and
/// timers if one blocks. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    blocked: Arc<Notify>,
    _ends: mpsc::Sender<()>,
}

impl Watchdog {
    /// Watches the current runtime, if it has several workers: a single one has
    /// nobody to help it.
    ///
    /// # Errors
    ///
    /// The system allows no further thread.
    pub(crate) fn start() -> io::Result<Option<Watchdog>> {
        let runtime = Handle::current();
        let workers = runtime.metrics().num_workers();
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread || workers < 2 {
            return Ok(None);
        }
        let (ends, ended) = mpsc::channel();
        let blocked = Arc::new(Notify::new());
        let watchdog = Watchdog { blocked: Arc::clone(&blocked), _ends: ends };
        let watch = move || {
            let metrics = runtime.metrics();
            let mut last = vec![0; workers];
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let mut is_blocked = false;
                for (worker, last) in last.iter_mut().enumerate() {
                    let parked = metrics.worker_park_unpark_count(worker);
                    // An odd number says that it sleeps.
                    is_blocked |= parked.is_multiple_of(2) && parked == *last;
                    *last = parked;
                }
                if is_blocked {
                    blocked.notify_waiters();
                    // Wakes a worker that sleeps; before it sleeps again, it
                    // waits for sockets and timers, if nobody does.
                    drop(runtime.spawn(async {}));
                }
            }
        };
        thread::Builder::new().name("pode-watchdog".to_owned()).spawn(watch)?;
        Ok(Some(watchdog))
    }

    /// Is notified again and again while a worker blocks.
    pub(crate) fn blocked(&self) -> &Arc<Notify> {
        &self.blocked
    }
}

/// Waits for some work, but no longer than this, even if no timer of the runtime
/// fires since all of its workers are blocked.
pub(crate) async fn at_most<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (late, is_late) = oneshot::channel();
    let (_done, is_done) = mpsc::channel::<()>();
    let wait = move || {
        if is_done.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            let _ = late.send(());
        }
    };
    // Without this thread, the work has its own deadlines.
    let _ = thread::Builder::new().name("pode-deadline".to_owned()).spawn(wait);
    tokio::select! {
        biased;
        done = work => Some(done),
        Ok(()) = is_late => None,
    }
}

/// From now on, when the current runtime is shut down, ends the process if
/// handlers block their threads: the runtime would wait for them. For programs
/// that were asked to end, once or `twice`; `handlers` lives as long as any
/// handler runs.
pub(crate) fn leave_behind_what_blocks<T: Send + Sync + 'static>(handlers: Weak<T>, twice: bool) {
    let runtime = Handle::current();
    let watch = move || {
        let metrics = runtime.metrics();
        let count = |worker| metrics.worker_park_unpark_count(worker);
        // Of a worker that is blocked, the number is even and stays the same.
        let mut busy: Vec<_> = (0..metrics.num_workers()).map(|it| (it, count(it))).collect();
        busy.retain(|(_, parked)| parked.is_multiple_of(2));
        let most = if twice { LOOKS_AT_ONCE } else { LOOKS_TO_LEAVE };
        let mut looks = 0;
        while looks < most {
            thread::sleep(LOOK);
            busy.retain(|(worker, parked)| count(*worker) == *parked);
            if busy.is_empty() || handlers.strong_count() == 0 {
                return;
            }
            looks = if is_shut_down(&runtime) { looks + 1 } else { 0 };
        }
        unwinding_stops_here(|| {
            tracing::error!("handlers block their threads; the program ends without them");
        });
        log::flush();
        process::exit(1);
    };
    // Without this thread, the runtime waits.
    let _ = thread::Builder::new().name("pode-end".to_owned()).spawn(watch);
}

/// Looks for a while whether a runtime is shut down: then it drops what it is to
/// spawn, or doesn't even queue it if all workers block.
fn is_shut_down(runtime: &Handle) -> bool {
    let queued = runtime.metrics().global_queue_depth();
    let (runs, has_run) = mpsc::channel();
    let probe = runtime.spawn(async move { runs.send(()) });
    let is_queued = runtime.metrics().global_queue_depth() > queued;
    match has_run.recv_timeout(LOOK) {
        Ok(()) => false,
        Err(RecvTimeoutError::Disconnected) => true,
        Err(RecvTimeoutError::Timeout) => !is_queued && !probe.is_finished(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::sync_channel;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use tokio::runtime::Builder;

    use super::*;

    /// Each worker in turn takes up a task that a socket wakes, and blocks.
    #[test]
    fn sockets_are_waited_for_while_workers_block() {
        const WORKERS: usize = 4;
        let builder = &mut Builder::new_multi_thread();
        let runtime = builder.worker_threads(WORKERS).enable_all().build().unwrap();
        let _runtime = runtime.enter();
        let _watchdog = Watchdog::start().unwrap().unwrap();
        let (begins, has_begun) = sync_channel(0);
        let (let_go, held): (Vec<_>, Vec<_>) = (0..WORKERS).map(|_| sync_channel(0)).unzip();
        let mut clients = Vec::new();
        for held in held {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            clients.push(std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap());
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut stream = TcpStream::from_std(stream).unwrap();
            let begins = begins.clone();
            runtime.spawn(async move {
                stream.read_u8().await.unwrap();
                begins.send(()).unwrap();
                let _: Result<(), _> = held.recv();
            });
        }
        let metrics = runtime.metrics();
        let sleeping = || {
            let parked = (0..WORKERS).map(|worker| metrics.worker_park_unpark_count(worker));
            parked.filter(|parked| !parked.is_multiple_of(2)).count()
        };
        for (blocked, client) in clients.iter_mut().enumerate() {
            // Otherwise one that is about to sleep would wait for sockets.
            while sleeping() < WORKERS - blocked {
                thread::yield_now();
            }
            client.write_all(&[1]).unwrap();
            has_begun.recv_timeout(Duration::from_secs(60)).expect("somebody waits for sockets");
        }
        drop(let_go);
    }

    #[test]
    fn a_deadline_is_kept_while_all_workers_block() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (let_go, held) = sync_channel::<()>(0);
        let (blocks, is_blocked) = sync_channel(0);
        runtime.block_on(async {
            tokio::spawn(async move {
                blocks.send(()).unwrap();
                let _ = held.recv();
            });
            is_blocked.recv().unwrap();
            let never = std::future::pending::<()>();
            assert_eq!(at_most(Duration::from_millis(1), never).await, None);
            assert_eq!(at_most(Duration::MAX, async { 7 }).await, Some(7));
        });
        drop(let_go);
    }

    #[test]
    fn a_runtime_that_is_shut_down_is_told_apart() {
        for blocks in [false, true] {
            let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
            let handle = runtime.handle().clone();
            let (let_go, held) = sync_channel::<()>(0);
            let (begins, has_begun) = sync_channel(0);
            if blocks {
                runtime.spawn(async move {
                    begins.send(()).unwrap();
                    let _ = held.recv();
                });
                has_begun.recv().unwrap();
            }
            assert!(!is_shut_down(&handle));
            runtime.shutdown_background();
            while !is_shut_down(&handle) {}
            drop(let_go);
        }
    }
}
