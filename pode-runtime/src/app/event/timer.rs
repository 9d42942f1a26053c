//! The event of a timer: one tick.

use std::sync::Arc;
use std::time::Instant;

use crate::app::context::Context;
use crate::base::debug_form::debug_form;
use crate::jobs::job::Firing;

/// A tick of a timer: the argument of its handler.
///
/// Named after Pode's `$TimerEvent`. It is a handle: clones are cheap and refer
/// to the same tick.
#[derive(Clone)]
pub struct TimerEvent {
    firing: Arc<Firing<tokio::time::Instant, Arc<Context>>>,
}

impl TimerEvent {
    pub(crate) fn new(firing: Firing<tokio::time::Instant, Arc<Context>>) -> TimerEvent {
        TimerEvent { firing: Arc::new(firing) }
    }

    /// Returns the name of the timer.
    pub fn name(&self) -> &'static str {
        self.firing.name
    }

    /// Returns how often the timer has fired, including this tick. A manual
    /// invocation isn't counted; it gets the count of the ticks before it.
    pub fn count(&self) -> u64 {
        self.firing.count
    }

    /// Returns when the timer fires next, provided that this handler is done by
    /// then; `None` if it doesn't fire again.
    pub fn next(&self) -> Option<Instant> {
        self.firing.next.map(tokio::time::Instant::into_std)
    }

    /// Returns a number that is higher than that of each earlier tick, on whatever node,
    /// where the timer fires on [`OneNode`](crate::FiresOn::OneNode): the millisecond
    /// since 1970 in which its time began. `None` otherwise, and where it was invoked
    /// manually.
    ///
    /// A handler may take so long that the next one is done first, on another node.
    /// Where what it writes to refuses a lower number than it has, nothing is written
    /// over by what is older.
    pub fn fence(&self) -> Option<u64> {
        self.firing.fence
    }

    fn context(&self) -> &Context {
        &self.firing.context
    }
}

sending_methods!(TimerEvent);

debug_form!(TimerEvent, |it| { name: it.name(), count: it.count() });
