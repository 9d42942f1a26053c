//! A signal path: what all shards know of it, and its part in each of them.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pode_core::hub::{self, DeliverySource};
use slab::Slab;

use super::client::{Burst, Client};
use super::outbox::QueueLimits;

/// For how many clients of a path another shard is worth its while. A path
/// with fewer stays in one, so that a message wakes no more than that.
const CLIENTS_PER_SHARD: usize = 1024;

/// How much of what is due at once is joined into one write. Messages are so
/// many that small ones are bounded by their bytes, or by the channel.
const BURST_MESSAGES: usize = 1024;
const BURST_BYTES: usize = 64 << 10;

/// The clients of a path in all shards.
#[derive(Debug)]
pub(super) struct Crowd {
    /// The shard where the path's messages always go.
    home: usize,
    source: DeliverySource,
    clients: AtomicUsize,
    /// How many have come since the start.
    arrivals: AtomicUsize,
}

/// Where a client that comes goes.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) shard: usize,
    /// What the shard may not have yet: the path's messages from now on.
    pub(super) messages: Option<hub::Delivery>,
}

impl Crowd {
    pub(super) fn new(home: usize, source: DeliverySource) -> Crowd {
        Crowd { home, source, clients: AtomicUsize::new(0), arrivals: AtomicUsize::new(0) }
    }

    /// Counts a client, and finds its shard among so many; `None` if
    /// the path delivers no more.
    pub(super) fn enter(&self, shards: usize) -> Option<Entrance> {
        let here = self.clients.fetch_add(1, Ordering::Relaxed);
        // In turn, so that a large crowd is spread evenly whoever leaves.
        let turn = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let spread = (here / CLIENTS_PER_SHARD + 1).min(shards);
        let shard = (self.home + turn % spread) % shards;
        if shard == self.home {
            return Some(Entrance { shard, messages: None });
        }
        match self.source.delivery() {
            Some(messages) => Some(Entrance { shard, messages: Some(messages) }),
            None => {
                self.leave();
                None
            }
        }
    }

    /// Counts a client that has gone.
    pub(super) fn leave(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How the clients of a path are treated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Treatment {
    pub(super) limits: QueueLimits,
    /// How often they are asked whether they are still there, in whole seconds
    /// rounded up; zero for never.
    pub(super) heartbeat: Duration,
}

/// The part of a path that is in one shard.
pub(super) struct Path {
    pub(super) name: &'static str,
    pub(super) limits: QueueLimits,
    /// In seconds.
    pub(super) heartbeat: Option<NonZero<u32>>,
    pub(super) crowd: Arc<Crowd>,
    /// Absent until a client comes, except at home.
    pub(super) messages: Option<hub::Delivery>,
    /// Wakes the shard when there are messages.
    pub(super) waker: Waker,
    pub(super) clients: Slab<Client>,
}

impl Path {
    /// Takes the messages that are due; `None` if there are none, and then the
    /// shard is woken for the next.
    pub(super) fn next_burst(&mut self) -> Option<Burst> {
        let messages = self.messages.as_mut()?;
        let mut context = Context::from_waker(&self.waker);
        let mut frames = Vec::new();
        let mut bytes = 0;
        while frames.len() < BURST_MESSAGES
            && bytes < BURST_BYTES
            && let Poll::Ready(Some(message)) = messages.poll_next(&mut context)
        {
            bytes += message.frame().len();
            frames.push(message.frame().clone());
        }
        (!frames.is_empty()).then(|| Burst::new(frames))
    }
}

#[cfg(test)]
mod tests {
    use pode_core::hub::Hub;

    use super::*;

    #[test]
    fn a_crowd_is_spread_over_as_many_shards_as_it_is_worth() {
        let (_hub, deliveries) = Hub::new([("/", 1)]);
        let crowd = Crowd::new(2, deliveries[0].source());
        let mut shards = [0; 4];
        for _ in 0..CLIENTS_PER_SHARD {
            let entrance = crowd.enter(4).unwrap();
            assert!(entrance.messages.is_none());
            shards[entrance.shard] += 1;
        }
        assert_eq!(shards, [0, 0, 1024, 0]);
        for _ in 0..7 * CLIENTS_PER_SHARD {
            let entrance = crowd.enter(4).unwrap();
            assert_eq!(entrance.messages.is_none(), entrance.shard == 2);
            shards[entrance.shard] += 1;
        }
        assert!(shards.iter().all(|clients| *clients > 1200), "{shards:?}");

        drop(deliveries);
        assert!(
            std::iter::repeat_with(|| crowd.enter(4)).take(4).any(|entrance| entrance.is_none())
        );
    }
}
