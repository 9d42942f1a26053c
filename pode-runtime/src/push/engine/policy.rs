//! How the clients of a path are treated.

use std::num::NonZero;
use std::time::Duration;

use pode_core::frame::AcceptPolicy;

#[cfg(feature = "redis")]
use super::lasting::Lasting;

/// How the clients of a path are treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubscriberPolicy {
    pub(super) limits: QueueLimits,
    /// How often they are pinged, in seconds; `None` for never.
    pub(super) heartbeat: Option<NonZero<u32>>,
    /// What they may send.
    pub(super) accepts: AcceptPolicy,
    /// How long they may send nothing; zero for no limit.
    pub(super) idle_timeout: Duration,
    /// Whether its log keeps messages for them.
    pub(super) has_history: bool,
    /// What a new one gets first of these.
    pub(super) replay: Replay,
    /// Whether messages have keys.
    pub(crate) has_keys: bool,
    /// Of how many that are present at a path each is told; 0 if nobody is.
    pub(crate) presence: usize,
}

/// Which of the kept messages a new client gets before those that are sent from
/// then on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// None.
    #[default]
    OnlyNew,
    /// The newest one; with `latest_by`, the newest one of each key.
    Last,
    /// The newest ones, so many.
    Messages(usize),
    /// The newest ones, as many as `history_messages`.
    All,
}

impl Replay {
    /// Returns how many messages it is at most.
    pub(super) fn most(self) -> usize {
        match self {
            Replay::OnlyNew => 0,
            Replay::Last => 1,
            Replay::Messages(messages) => messages,
            Replay::All => usize::MAX,
        }
    }

    /// Returns of how many keys it is the newest message: the last is of each.
    pub(super) fn most_keys(self) -> usize {
        match self {
            Replay::Last => usize::MAX,
            other => other.most(),
        }
    }
}

impl SubscriberPolicy {
    pub(crate) fn new(
        on_lag: OnLag,
        heartbeat: Duration,
        idle_timeout: Duration,
        accepts: AcceptPolicy,
        history: Option<Replay>,
    ) -> SubscriberPolicy {
        let limits = QueueLimits { on_lag, ..QueueLimits::default() };
        let heartbeat = NonZero::new(heartbeat.as_secs() as u32);
        let (has_history, replay) = (history.is_some(), history.unwrap_or_default());
        SubscriberPolicy {
            limits,
            heartbeat,
            accepts,
            idle_timeout,
            has_history,
            replay,
            has_keys: false,
            presence: 0,
        }
    }

    /// Returns which messages a new client gets however long ago they were sent, if it
    /// does.
    #[cfg(feature = "redis")]
    pub(crate) fn lasting(&self) -> Option<Lasting> {
        match self.replay.most() {
            _ if !self.has_history => None,
            _ if self.has_keys => Some(Lasting::OfKeys),
            1 => Some(Lasting::OfPaths),
            _ => None,
        }
    }
}

/// What happens to a slow consumer: a client for which too many messages wait,
/// 1,024 or 1 MiB together; or at a signal with history, whose next message is no
/// longer kept. There, skipped are those that are gone, and the newest one is the
/// newest that is kept.
///
/// In every case the client holds up neither senders nor other clients, and the
/// messages that it gets are in the order in which they were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLag {
    /// It is cut off with close code 1013. So it knows what it missed:
    /// everything from there on. For data that must not have gaps.
    #[default]
    Disconnect,

    /// Messages that come while its send queue is full are skipped; it goes on
    /// with those that come when the queue has capacity again. For feeds in
    /// which a gap does no harm.
    Skip,

    /// The waiting messages are dropped in favour of the newest one, which
    /// comes next. For values of which only the newest counts.
    Latest,
}

/// How many messages may wait for a slow client, and what happens to a client
/// that is over either limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    /// Default: 1,024.
    pub(super) messages: usize,
    /// The size of their frames together. A single message may be larger.
    /// Default: 1 MiB.
    pub(super) bytes: usize,
    pub(super) on_lag: OnLag,
}

impl Default for QueueLimits {
    fn default() -> Self {
        QueueLimits { messages: 1024, bytes: 1 << 20, on_lag: OnLag::default() }
    }
}
