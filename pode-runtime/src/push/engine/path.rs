//! A signal path: what all shards know of it, and its part in each of them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::mem;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pode_core::frame::AcceptPolicy;
use pode_core::{Message, hub};
use slab::Slab;
use tokio::task::coop::unconstrained;

use super::client::{Batch, Client};
use super::envelope::{Audience, Command, Envelope, Found, Replay};
use super::send_queue::{OnLag, QueueLimits};
use super::subscriber::Subscriber;
use super::subscriber_index::SubscriberIndex;

/// For how many clients of a path another shard is worth its while. A path
/// with fewer stays in one, so that a message wakes no more than that.
const CLIENTS_PER_SHARD: usize = 1024;

/// How much of what is due at once is joined into one write. Messages are so
/// many that small ones are bounded by their bytes, or by the channel.
const BURST_MESSAGES: usize = 1024;
const BURST_BYTES: usize = 64 << 10;

/// The clients of a path in all shards.
#[derive(Debug)]
pub(super) struct Placement {
    /// The shard where the path's messages always go.
    home: usize,
    /// Whether all its clients are there, however many they are.
    stays_home: bool,
    source: hub::ReceiverSource<Envelope>,
    clients: AtomicUsize,
    /// How many have come since the start.
    arrivals: AtomicU64,
}

/// One client, which is counted until this is dropped.
#[derive(Debug)]
pub(super) struct CountedClient {
    placement: Arc<Placement>,
}

impl Drop for CountedClient {
    fn drop(&mut self) {
        self.placement.leave();
    }
}

/// Where a client that comes goes.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) counted: CountedClient,
    pub(super) shard: usize,
    /// What the shard may not have yet: the path's messages from now on.
    pub(super) messages: Option<hub::Receiver<Envelope>>,
    /// The how-manieth client it is.
    pub(super) arrival: u64,
}

impl Placement {
    pub(super) fn new(
        home: usize,
        stays_home: bool,
        source: hub::ReceiverSource<Envelope>,
    ) -> Placement {
        let (clients, arrivals) = (AtomicUsize::new(0), AtomicU64::new(0));
        Placement { home, stays_home, source, clients, arrivals }
    }

    /// Counts a client, and finds its shard among so many; `None` if
    /// the path delivers no more.
    pub(super) fn enter(self: &Arc<Self>, shards: usize) -> Option<Placed> {
        let here = self.clients.fetch_add(1, Ordering::Relaxed);
        let counted = CountedClient { placement: Arc::clone(self) };
        // In turn, so that a large crowd is spread evenly whoever leaves.
        let arrival = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let spread = if self.stays_home { 1 } else { (here / CLIENTS_PER_SHARD + 1).min(shards) };
        let shard = (self.home + (arrival % spread as u64) as usize) % shards;
        let messages = match shard == self.home {
            true => None,
            false => Some(self.source.receiver()?),
        };
        Some(Placed { counted, shard, messages, arrival })
    }

    /// Tells how many clients there are.
    pub(super) fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Counts a client that has gone.
    fn leave(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How the clients of a path are treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubscriberPolicy {
    pub(super) limits: QueueLimits,
    /// How often they are asked whether they are still there, in whole seconds;
    /// zero for never.
    pub(super) heartbeat: Duration,
    /// What they may send.
    pub(super) accepts: AcceptPolicy,
    /// How long they may say nothing; zero for ever.
    pub(super) idle_timeout: Duration,
}

impl SubscriberPolicy {
    pub(crate) fn new(
        on_lag: OnLag,
        heartbeat: Duration,
        idle_timeout: Duration,
        accepts: AcceptPolicy,
    ) -> SubscriberPolicy {
        let limits = QueueLimits { on_lag, ..QueueLimits::default() };
        SubscriberPolicy { limits, heartbeat, accepts, idle_timeout }
    }
}

/// A path in one shard.
pub(super) struct Path {
    pub(super) name: &'static str,
    pub(super) limits: QueueLimits,
    pub(super) accepts: AcceptPolicy,
    /// In seconds, if there is one.
    pub(super) heartbeat: Option<NonZero<u32>>,
    pub(super) idle_timeout: Duration,
    pub(super) placement: Arc<Placement>,
    /// Absent until a client comes, except at home.
    messages: Option<hub::Receiver<Envelope>>,
    /// What was taken of them and has yet to be seen to: it is for others than
    /// what came before.
    put_off: Option<Envelope>,
    /// Wakes the shard when there are messages.
    waker: Waker,
    pub(super) clients: Slab<Client>,
    /// Slots of those who are told that they broke a rule as soon as what is on
    /// its way is delivered. They may be somebody else's by then.
    pub(super) at_fault: Vec<u32>,
    /// Those who are not let in yet, by arrival.
    waiting: HashMap<u64, u32>,
    /// By the clients' own paths, where this one is a family's.
    indexes: HashMap<Option<Arc<str>>, SubscriberIndex>,
}

/// What comes next in the channel of a path.
pub(super) enum Due {
    /// Messages for all its clients.
    Broadcast(Batch),
    /// Messages for the audience of this one.
    Addressed(Batch, Arc<(Audience, Message)>),
    Command(Arc<Command>),
}

impl Path {
    pub(super) fn new(
        name: &'static str,
        SubscriberPolicy { limits, heartbeat, accepts, idle_timeout }: SubscriberPolicy,
        placement: Arc<Placement>,
        messages: Option<hub::Receiver<Envelope>>,
        waker: Waker,
    ) -> Path {
        let heartbeat = NonZero::new(heartbeat.as_secs() as u32);
        let (clients, waiting, indexes) = (Slab::new(), HashMap::new(), HashMap::new());
        Path {
            name,
            limits,
            accepts,
            heartbeat,
            idle_timeout,
            placement,
            messages,
            put_off: None,
            waker,
            clients,
            at_fault: Vec::new(),
            waiting,
            indexes,
        }
    }

    /// Takes the messages from now on, unless they come already; tells whether
    /// it did.
    pub(super) fn listen(&mut self, messages: Option<hub::Receiver<Envelope>>) -> bool {
        let news = self.messages.is_none() && messages.is_some();
        if news {
            self.messages = messages;
        }
        news
    }

    /// Refuses further sends.
    pub(super) fn close(&mut self) {
        if let Some(messages) = &mut self.messages {
            messages.close();
        }
    }

    /// Makes the same path without clients, which has the messages from now on.
    pub(super) fn begin_again(&mut self, waker: Waker) -> Path {
        Path {
            name: self.name,
            limits: self.limits,
            accepts: self.accepts,
            heartbeat: self.heartbeat,
            idle_timeout: self.idle_timeout,
            placement: Arc::clone(&self.placement),
            messages: self.messages.take(),
            put_off: self.put_off.take(),
            waker,
            clients: Slab::new(),
            at_fault: Vec::new(),
            waiting: HashMap::new(),
            indexes: HashMap::new(),
        }
    }

    /// Takes a client that is to be [let in](Self::admit), and returns its slot.
    pub(super) fn join(&mut self, client: Client, counted: CountedClient) -> u32 {
        let arrival = client.subscriber.arrival;
        let slot = self.clients.insert(client) as u32;
        // It is counted by its slot, for which it needn't be any larger.
        mem::forget(counted);
        self.waiting.insert(arrival, slot);
        slot
    }

    /// Lets in the client of an arrival, if it waits here: from now on it is
    /// found by its id and groups, and has what it missed. Returns who has its id
    /// and came before; and the client itself, if what it missed is forgotten.
    pub(super) fn admit(
        &mut self,
        client: &Audience,
        arrival: u64,
        replay: &Replay,
    ) -> (Option<u32>, Option<u32>) {
        let Some(slot) = self.waiting.remove(&arrival) else {
            let before = self.select(client).into_iter().next();
            let came_before =
                |slot: &u32| self.clients[*slot as usize].subscriber.arrival < arrival;
            return (before.filter(came_before), None);
        };
        let client = &mut self.clients[slot as usize];
        client.admit();
        let Subscriber { id, path, groups, .. } = &mut client.subscriber;
        let index = self.indexes.entry(path.clone()).or_default();
        let asked_for = mem::take(groups);
        for group in asked_for.as_slice() {
            groups.add(index.join_group(group, slot));
        }
        let before = index.enter(id.clone(), slot);
        let Ok(replay) = replay.envelopes() else { return (before, Some(slot)) };
        for envelope in replay {
            let (audience, message) = match envelope {
                Envelope::Broadcast(message) => (None, message),
                Envelope::Addressed(addressed) => (Some(&addressed.0), &addressed.1),
                Envelope::Command(_) => continue,
            };
            client.owe_if_meant(audience, message);
        }
        (before, None)
    }

    /// Takes a client out.
    pub(super) fn remove(&mut self, slot: u32) -> Client {
        let client = self.clients.remove(slot as usize);
        let Subscriber { id, path, groups, arrival, .. } = &client.subscriber;
        self.waiting.remove(arrival);
        if let Some(index) = self.indexes.get_mut(path) {
            index.leave(id, slot, groups.as_slice());
            if index.is_empty() {
                self.indexes.remove(path);
            }
        }
        self.placement.leave();
        client
    }

    /// Drops all clients.
    pub(super) fn clear(&mut self) {
        for client in self.clients.drain() {
            self.placement.leave();
            client.leave();
        }
    }

    /// Returns the slots of an audience.
    pub(super) fn select(&self, audience: &Audience) -> Vec<u32> {
        self.indexes.get(&audience.path).map(|index| index.select(audience)).unwrap_or_default()
    }

    /// Returns who is meant.
    pub(super) fn find(&self, audience: &Audience) -> impl Iterator<Item = Found> {
        self.select(audience).into_iter().map(|slot| {
            let Subscriber { id, groups, .. } = &self.clients[slot as usize].subscriber;
            Found { id: id.clone(), groups: groups.as_slice().to_vec() }
        })
    }

    /// Puts clients into a group.
    pub(super) fn join_group(&mut self, audience: &Audience, group: &Arc<str>) {
        for slot in self.select(audience) {
            if let Some(index) = self.indexes.get_mut(&audience.path) {
                let name = index.join_group(group, slot);
                self.clients[slot as usize].subscriber.groups.add(name);
            }
        }
    }

    /// Takes clients out of a group.
    pub(super) fn leave_group(&mut self, audience: &Audience, group: &Arc<str>) {
        for slot in self.select(audience) {
            self.clients[slot as usize].subscriber.groups.remove(group);
            if let Some(index) = self.indexes.get_mut(&audience.path) {
                index.leave_group(group, slot);
            }
        }
    }

    /// Takes what is due; `None` if nothing is, and then the shard is woken for
    /// the next.
    pub(super) fn next_due(&mut self) -> Option<Due> {
        let first = self.put_off.take().or_else(|| self.next_parcel())?;
        let (audience, message) = match &first {
            Envelope::Broadcast(message) => (None, message),
            Envelope::Addressed(addressed) => (Some(&addressed.0), &addressed.1),
            Envelope::Command(command) => return Some(Due::Command(Arc::clone(command))),
        };
        let mut bytes = message.frame().len();
        let mut frames = vec![message.frame().clone()];
        while frames.len() < BURST_MESSAGES
            && bytes < BURST_BYTES
            && let Some(next) = self.next_parcel()
        {
            let Some(message) = next.message_for(audience) else {
                self.put_off = Some(next);
                break;
            };
            bytes += message.frame().len();
            frames.push(message.frame().clone());
        }
        let batch = Batch::new(frames);
        Some(match first {
            Envelope::Addressed(addressed) => Due::Addressed(batch, addressed),
            _ => Due::Broadcast(batch),
        })
    }

    fn next_parcel(&mut self) -> Option<Envelope> {
        let messages = self.messages.as_mut()?;
        // Outside of the task's budget: once that is spent, every channel would
        // look empty. Shards yield by themselves.
        let next = unconstrained(poll_fn(|context| messages.poll_next(context)));
        match pin!(next).poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(envelope) => envelope,
            Poll::Pending => None,
        }
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use pode_core::hub::Hub;

    use super::*;

    #[test]
    fn a_crowd_is_spread_over_as_many_shards_as_it_is_worth() {
        let (_hub, deliveries) = Hub::new([("/", 1)]);
        let placement = Arc::new(Placement::new(2, false, deliveries[0].source()));
        let mut shards = [0; 4];
        let mut all = Vec::new();
        for _ in 0..CLIENTS_PER_SHARD {
            let placed = placement.enter(4).unwrap();
            assert!(placed.messages.is_none());
            shards[placed.shard] += 1;
            all.push(placed.counted);
        }
        assert_eq!(shards, [0, 0, 1024, 0]);
        for _ in 0..7 * CLIENTS_PER_SHARD {
            let placed = placement.enter(4).unwrap();
            assert_eq!(placed.messages.is_none(), placed.shard == 2);
            shards[placed.shard] += 1;
            all.push(placed.counted);
        }
        assert_eq!(placement.clients(), 8 * CLIENTS_PER_SHARD);
        assert!(shards.iter().all(|clients| *clients > 1200), "{shards:?}");

        drop(deliveries);
        assert!(
            std::iter::repeat_with(|| placement.enter(4)).take(4).any(|placed| placed.is_none())
        );
        drop(all);
        assert_eq!(placement.clients(), 0);
    }
}
