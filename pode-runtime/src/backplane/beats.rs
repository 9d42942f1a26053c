//! The signs of life of nodes, by which time is counted between them: who is stopped, or
//! cut off, hears none of its own, and takes nobody else for gone meanwhile.

use std::time::Duration;

use tokio::time::Instant;

/// How often a node shows that it is there.
pub(super) const BEAT: Duration = Duration::from_secs(5);

/// Of how many of this node's beats another node may miss its own before it counts as
/// gone.
pub(super) const MOST_SILENT_BEATS: u32 = 3;

/// The beats of this node that have come back.
#[derive(Debug, Default)]
pub(super) struct OwnBeats {
    /// When one counted last.
    counted: Option<Instant>,
}

impl OwnBeats {
    /// Notes that one is back; returns whether it counts. Each new connection begins with
    /// one, and some are asked for, so only those do that are about a beat apart.
    pub(super) fn has_counted(&mut self) -> bool {
        if self.counted.is_some_and(|counted| counted.elapsed() < BEAT - BEAT / 5) {
            return false;
        }
        self.counted = Some(Instant::now());
        true
    }
}
