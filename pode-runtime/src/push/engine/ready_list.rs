//! The list of woken sources, from any thread, for a shard to look at.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::sync::Mutex;

/// For how many sources the list keeps its memory.
const KEPT_SOURCES: usize = 1024;

/// Shared by a shard and the wakers of its sources.
#[derive(Debug)]
pub(super) struct ReadyList<S> {
    state: Mutex<State<S>>,
}

#[derive(Debug)]
struct State<S> {
    sources: Vec<S>,
    /// The shard, while it waits.
    shard: Option<Waker>,
}

/// Puts its source on the list.
struct SourceWaker<S> {
    ready_list: Arc<ReadyList<S>>,
    source: S,
}

impl<S: Copy + Send + Sync + 'static> ReadyList<S> {
    /// Makes an empty list.
    pub(super) fn new() -> Arc<ReadyList<S>> {
        let state = State { sources: Vec::new(), shard: None };
        Arc::new(ReadyList { state: Mutex::new(state) })
    }

    /// Makes the waker of a source.
    pub(super) fn waker(self: &Arc<Self>, source: S) -> Waker {
        Arc::new(SourceWaker { ready_list: Arc::clone(self), source }).into()
    }

    /// Reports the woken sources, some perhaps twice. If there are none, the
    /// shard is woken when there is one.
    pub(super) fn poll(&self, context: &mut Context<'_>, tell: impl FnMut(S)) {
        let mut state = self.state.lock().expect("nobody panics with the list");
        if state.sources.is_empty() {
            state.shard = Some(context.waker().clone());
        }
        state.sources.drain(..).for_each(tell);
        state.sources.shrink_to(KEPT_SOURCES);
    }
}

impl<S: Copy + Send + Sync + 'static> Wake for SourceWaker<S> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.ready_list.state.lock().expect("nobody panics with the list");
        state.sources.push(self.source);
        let shard = state.shard.take();
        drop(state);
        // Not under the lock, since the shard may run at once.
        if let Some(shard) = shard {
            shard.wake();
        }
    }
}
