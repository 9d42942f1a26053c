//! The epoll events of sockets outside of tokio.
//!
//! Tokio watches one epoll descriptor for all of them. Neither tokio nor this
//! module keeps state for each socket.

use std::io;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How many events are taken at once.
const EVENTS: usize = 256;

pub(super) struct Epoll {
    descriptor: AsyncFd<OwnedFd>,
}

impl Epoll {
    /// Must be called within a runtime.
    pub(super) fn new() -> io::Result<Epoll> {
        let descriptor = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Epoll { descriptor: register(descriptor)? })
    }

    /// Watches a socket until it is closed; its events carry `name`.
    ///
    /// Each time that it becomes readable or writable, there is one event; also
    /// one at first.
    pub(super) fn add(&self, socket: &TcpStream, name: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.descriptor, socket, EventData::new_u64(name), flags)?)
    }

    /// Reports the names of sockets with events. If there are none, the task is
    /// woken when there is one.
    pub(super) fn poll(&self, context: &mut Context<'_>, mut tell: impl FnMut(u64)) {
        let mut some = false;
        // An error means that the runtime is ending, and this task with it.
        while !some && let Poll::Ready(Ok(mut guard)) = self.descriptor.poll_read_ready(context) {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let mut events = [const { MaybeUninit::uninit() }; EVENTS];
            let (events, _) = match epoll::wait(&self.descriptor, &mut events, Some(&now)) {
                Ok(filled) => filled,
                Err(Errno::INTR) => continue,
                Err(error) => unreachable!("waiting for nothing cannot fail: {error}"),
            };
            if events.len() < EVENTS {
                guard.clear_ready();
            }
            some = !events.is_empty();
            events.iter().for_each(|event| tell(event.data.u64()));
        }
    }
}

/// Has tokio watch a descriptor.
#[expect(unsafe_code, reason = "tokio has no other way to watch a descriptor")]
fn register(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor must stay open, and the same, as long as the
    // `AsyncFd` lives. The `AsyncFd` owns it: no other code can close it, and
    // an `OwnedFd` returns the same number each time.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
}

impl std::fmt::Debug for Epoll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epoll").finish_non_exhaustive()
    }
}
