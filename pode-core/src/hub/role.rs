//! Who numbers a channel's messages, and what it has for another process, or for a
//! carrier.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::Parcel;

/// How many messages and bytes may wait for a follower.
pub const BACKLOG: (usize, usize) = (4096, 8 << 20);

pub(super) enum Role<T> {
    /// Numbers for itself.
    Alone,
    Leads(Backlog<T>),
    Follows(Outbox<T>),
}

/// What a channel has for the other process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice<T> {
    /// To be numbered, and to come back.
    Sent(T),
    /// Published by the leader.
    Published {
        /// The number of a message; of anything else, that of the next message.
        number: u64,
        /// What it is.
        parcel: T,
    },
    /// What the follower sent next has been published.
    Back {
        /// As of [`Published`](Self::Published).
        number: u64,
    },
    /// The follower was too slow: notices were dropped.
    Lost {
        /// The first number that was not.
        until: u64,
        /// How many of them were [`Back`](Self::Back).
        back: usize,
    },
}

/// What was published and not taken yet.
pub(super) struct Backlog<T> {
    waiting: VecDeque<Notice<T>>,
    bytes: usize,
    /// Whether something was dropped in front of it, and how much of that was
    /// `Back`.
    lost: Option<usize>,
}

/// What was sent and isn't back yet.
pub(super) struct Outbox<T> {
    pub(super) sent: VecDeque<Underway<T>>,
    /// How much of it was taken, and may be on its way.
    taken: usize,
    /// How much of that may be gone.
    doubtful: usize,
    /// The serial behind all that was ever taken: others may have got it, though it isn't
    /// back.
    taken_to: u64,
    /// How much was ever sent.
    count: u64,
    /// Whether it goes to a carrier.
    is_carried: bool,
    /// Permits for what comes from the leader: it is never kept waiting by what is
    /// to come back behind it.
    pub(super) room: Arc<Semaphore>,
}

pub(super) struct Underway<T> {
    /// How many were sent before.
    serial: u64,
    pub(super) parcel: T,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) arrived: oneshot::Sender<()>,
}

/// Resolves when something that was sent through another process, or a carrier, is in
/// its channel: to `true`; or to `false`, if nobody knows what became of it.
#[derive(Debug)]
#[must_use = "it isn't in the channel yet"]
pub struct Arrival {
    pub(super) serial: u64,
    arrived: oneshot::Receiver<()>,
    /// Whether it comes from a carrier, which may fail.
    pub is_carried: bool,
}

impl Future for Arrival {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        Pin::new(&mut self.arrived).poll(context).map(|arrived| arrived.is_ok())
    }
}

impl<T: Parcel> Backlog<T> {
    pub(super) fn new() -> Backlog<T> {
        Backlog { waiting: VecDeque::new(), bytes: 0, lost: None }
    }

    pub(super) fn push(&mut self, notice: Notice<T>) {
        self.bytes += notice.bytes();
        self.waiting.push_back(notice);
        let (messages, most_bytes) = BACKLOG;
        while self.waiting.len() > messages || self.bytes > most_bytes && self.waiting.len() > 1 {
            let Some(first) = self.waiting.pop_front() else { return };
            self.bytes -= first.bytes();
            *self.lost.get_or_insert(0) += usize::from(matches!(first, Notice::Back { .. }));
        }
    }

    pub(super) fn take(&mut self, at_most: usize, next: u64) -> Vec<Notice<T>> {
        let lost = self.lost.take().map(|back| {
            let until = self.waiting.front().and_then(Notice::number).unwrap_or(next);
            Notice::Lost { until, back }
        });
        let count = at_most.min(self.waiting.len());
        let taken: Vec<_> = lost.into_iter().chain(self.waiting.drain(..count)).collect();
        self.bytes -= taken.iter().map(Notice::bytes).sum::<usize>();
        taken
    }
}

impl<T: Parcel> Notice<T> {
    fn number(&self) -> Option<u64> {
        match self {
            Notice::Published { number, .. } | Notice::Back { number } => Some(*number),
            Notice::Sent(_) | Notice::Lost { .. } => None,
        }
    }

    fn bytes(&self) -> usize {
        let Notice::Published { parcel, .. } = self else { return 0 };
        parcel.log_entry().map_or(0, |entry| entry.frame.len())
    }
}

impl<T: Parcel> Outbox<T> {
    pub(super) fn new(room: usize, is_carried: bool) -> Outbox<T> {
        let room = Arc::new(Semaphore::new(room));
        let sent = VecDeque::new();
        Outbox { sent, taken: 0, doubtful: 0, taken_to: 0, count: 0, is_carried, room }
    }

    pub(super) fn push(&mut self, parcel: T, permit: OwnedSemaphorePermit) -> Arrival {
        let (arrived, arrival) = oneshot::channel();
        let serial = self.count;
        self.count += 1;
        self.sent.push_back(Underway { serial, parcel, permit, arrived });
        Arrival { serial, arrived: arrival, is_carried: self.is_carried }
    }

    /// Takes what wasn't taken before, with the number of those that were sent before it:
    /// until it is so many bytes, or more by the last one.
    pub(super) fn take(&mut self, at_most: usize, bytes: usize) -> Vec<(u64, T)> {
        let mut taken_bytes = 0;
        let new = self.sent.range(self.taken..).take(at_most).take_while(|it| {
            let is_room = taken_bytes < bytes;
            taken_bytes += it.parcel.log_entry().map_or(0, |entry| entry.frame.len());
            is_room
        });
        let taken: Vec<_> = new.map(|it| (it.serial, it.parcel.clone())).collect();
        self.taken += taken.len();
        self.taken_to = taken.last().map_or(0, |(serial, _)| serial + 1).max(self.taken_to);
        taken
    }

    pub(super) fn is_carried(&self) -> bool {
        self.is_carried
    }

    /// Has everything taken again, but what is in doubt, which is dropped.
    pub(super) fn take_again(&mut self) {
        self.sent.drain(..self.doubtful);
        (self.taken, self.doubtful) = (0, 0);
    }

    /// Notes that what was taken may be gone, without a trace.
    pub(super) fn doubt(&mut self) {
        self.doubtful = self.taken;
    }

    /// Returns the serial number of what is taken next.
    pub(super) fn next_serial(&self) -> u64 {
        self.sent.get(self.taken).map_or(self.count, |next| next.serial)
    }

    /// Drops what was sent before this one and isn't back.
    pub(super) fn give_up_before(&mut self, serial: u64) {
        while self.sent.front().is_some_and(|next| next.serial < serial) {
            drop(self.pop());
        }
    }

    /// Drops everything that was taken.
    pub(super) fn give_up(&mut self) {
        self.sent.drain(..self.taken);
        (self.taken, self.doubtful) = (0, 0);
    }

    /// Removes one that was never taken; returns whether it could.
    pub(super) fn withdraw(&mut self, serial: u64) -> bool {
        let found = self.sent.binary_search_by_key(&serial, |it| it.serial);
        let Some(place) = found.ok().filter(|_| serial >= self.taken_to) else { return false };
        self.sent.remove(place).is_some()
    }

    /// Takes out one. What was sent before it, and isn't back, never will be.
    pub(super) fn pop_until(&mut self, serial: u64) -> Option<Underway<T>> {
        self.give_up_before(serial);
        self.sent.front().filter(|next| next.serial == serial)?;
        self.pop()
    }

    pub(super) fn pop(&mut self) -> Option<Underway<T>> {
        self.taken = self.taken.saturating_sub(1);
        self.doubtful = self.doubtful.saturating_sub(1);
        self.sent.pop_front()
    }
}
