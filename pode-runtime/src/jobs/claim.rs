//! On which nodes of a server a timer or a schedule fires.
//!
//! Time is divided into slots: those of a timer by a clock that all nodes go by, and of a
//! schedule by its times. Each node claims a slot when it begins, and whoever gets it
//! fires. Nobody leads, and nothing is renewed. What decides is handed in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

/// On which nodes of a server with a backplane a timer or a schedule fires. Without one,
/// both are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FiresOn {
    /// On each of them.
    #[default]
    EveryNode,

    /// On one of them each time, whichever it is.
    OneNode,
}

impl FiresOn {
    /// Returns the fence of what fires now where there is nothing to claim.
    pub(super) fn fence_alone(self) -> Option<u64> {
        (self == FiresOn::OneNode)
            .then(|| milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

/// What divides slots among the nodes.
pub(crate) trait Slots: Send + Sync {
    /// Waits until the time is known that all nodes go by. Cancel safe.
    fn time(&self) -> BoxFuture<'_, SharedTime>;

    /// Claims a slot, named by the millisecond in which it begins, and waits for the
    /// answer. Of all nodes, at most one ever gets it, and none gets it after a later one.
    /// Dropping the future gives the slot up.
    fn claim(&self, job: String, slot: u64) -> BoxFuture<'_, bool>;
}

/// A time that all nodes go by, and when it was so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedTime {
    pub(crate) since_1970: Duration,
    pub(crate) at: Instant,
}

impl SharedTime {
    pub(crate) fn when(&self, now: Instant) -> Duration {
        self.since_1970 + now.saturating_duration_since(self.at)
    }
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
