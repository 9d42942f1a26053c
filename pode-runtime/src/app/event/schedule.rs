//! The event of a schedule: one firing.

use std::sync::Arc;
use std::time::SystemTime;

use crate::app::context::Context;
use crate::base::debug_form::debug_form;
use crate::jobs::job::Firing;

/// One firing of a schedule: the argument of its handler.
///
/// Named after Pode's `$ScheduleEvent`. It is a handle: clones are cheap and
/// refer to the same firing.
#[derive(Clone)]
pub struct ScheduleEvent {
    firing: Arc<Firing<SystemTime, Arc<Context>>>,
}

impl ScheduleEvent {
    pub(crate) fn new(firing: Firing<SystemTime, Arc<Context>>) -> ScheduleEvent {
        ScheduleEvent { firing: Arc::new(firing) }
    }

    /// Returns the name of the schedule.
    pub fn name(&self) -> &'static str {
        self.firing.name
    }

    /// Returns how often the schedule has fired, including this time. A manual
    /// invocation isn't counted; it gets the count of the firings before it.
    pub fn count(&self) -> u64 {
        self.firing.count
    }

    /// Returns when the schedule fires next, provided that this handler is done
    /// by then and nobody sets the clock; `None` if it doesn't fire again.
    pub fn next(&self) -> Option<SystemTime> {
        self.firing.next
    }

    /// Returns a number that is higher than that of each earlier firing, on whatever node,
    /// where the schedule fires on [`OneNode`](crate::FiresOn::OneNode): the millisecond
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

sending_methods!(ScheduleEvent);

debug_form!(ScheduleEvent, |it| { name: it.name(), count: it.count() });
