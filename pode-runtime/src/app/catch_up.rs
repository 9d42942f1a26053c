//! How far this process has read what all of its server send, where a backplane carries
//! that: clients come from other processes, which may have read more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pode_core::hub::{Channel, Position};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::push::engine::Envelope;

/// How long a client waits until this process has read as much as others.
const LONGEST: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    /// Which of its own beats this process has read, and all that was sent before; `None`
    /// until it has read what there was at the start. Changes with all that is read.
    read: watch::Sender<Option<u64>>,
    /// How many beats were begun.
    begun: AtomicU64,
    /// Notified when one is to be sent at once.
    asked: Notify,
}

impl CatchUp {
    /// Waits until this process has read up to a position, or all that was sent before this
    /// call, and the position is nobody's; at most three seconds. Returns whether it has.
    /// Cancel safe.
    pub(crate) async fn reaches(&self, channel: &Channel<Envelope>, position: Position) -> bool {
        let is_there = || channel.position().is_none_or(|here| position.number <= here.number);
        let mut read = self.read.subscribe();
        if is_there() || read.borrow().is_none() {
            return true;
        }
        let begun = self.begun.load(Ordering::Relaxed);
        self.asked.notify_one();
        let caught_up = read.wait_for(|beat| is_there() || *beat > Some(begun));
        timeout(LONGEST, caught_up).await.is_ok()
    }

    /// Begins a beat, and returns its number.
    #[cfg(feature = "redis")]
    pub(crate) fn begin_beat(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Waits until a beat is to be sent at once. Cancel safe.
    #[cfg(feature = "redis")]
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Notes that something was read, once all is that there was at the start; with the last
    /// beat, if that is known to be all that there was then, or 0.
    #[cfg(feature = "redis")]
    pub(crate) fn has_read(&self, beat: Option<u64>) {
        self.read.send_modify(|read| *read = (*read).max(beat));
    }
}
