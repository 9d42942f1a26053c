//! Readiness: what a shard has to look at.
//!
//! Sources with a tokio waker are put on a list; sockets outside of tokio are
//! reported by epoll.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[cfg(target_os = "linux")]
use super::epoll::Epoll;
use super::ready_list::ReadyList;
use super::shrink::shrink;
use super::socket::Socket;

/// A source that may be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The messages of the path with this number.
    Messages(u32),
    /// The socket of the client in this slot. When it became ready, the slot
    /// may have belonged to another client: then it is looked at in vain.
    Client(SlotId),
}

/// The position of a client in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotId {
    pub(super) path: u32,
    pub(super) slot: u32,
}

pub(super) struct Readiness {
    ready_list: Arc<ReadyList<Source>>,
    #[cfg(target_os = "linux")]
    epoll: Epoll,
    /// The sources to look at, in this order.
    found: VecDeque<Source>,
}

impl Readiness {
    /// Must be called within a runtime.
    pub(super) fn new() -> io::Result<Readiness> {
        Ok(Readiness {
            ready_list: ReadyList::new(),
            #[cfg(target_os = "linux")]
            epoll: Epoll::new()?,
            found: VecDeque::new(),
        })
    }

    /// Makes the waker of a source.
    pub(super) fn waker(&self, source: Source) -> Waker {
        self.ready_list.waker(source)
    }

    /// Watches a socket until it is dropped. Earlier events are not reported.
    pub(super) fn watch(&self, socket: &mut Socket, place: SlotId) -> io::Result<()> {
        match socket {
            Socket::Portable(socket) => socket.wake(self.waker(Source::Client(place))),
            #[cfg(target_os = "linux")]
            Socket::Tcp { stream, .. } => self.epoll.add(stream, place.into())?,
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => self.epoll.add(socket.stream(), place.into())?,
        }
        Ok(())
    }

    /// Waits until there is something to look at. Cancel safe.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let found = &mut self.found;
        self.ready_list.poll(context, |source| found.push_back(source));
        #[cfg(target_os = "linux")]
        self.epoll.poll(context, |place| found.push_back(Source::Client(place.into())));
        if found.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// The number of sources to look at.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Takes the first source.
    pub(super) fn next(&mut self) -> Option<Source> {
        shrink!(self.found);
        self.found.pop_front()
    }

    /// Has a source looked at once more, after the others.
    pub(super) fn again(&mut self, source: Source) {
        self.found.push_back(source);
    }
}

impl From<SlotId> for u64 {
    fn from(place: SlotId) -> u64 {
        u64::from(place.path) << 32 | u64::from(place.slot)
    }
}

impl From<u64> for SlotId {
    fn from(place: u64) -> SlotId {
        SlotId { path: (place >> 32) as u32, slot: place as u32 }
    }
}
