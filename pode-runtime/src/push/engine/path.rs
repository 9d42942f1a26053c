//! A signal path: its state shared by all shards, and its part in each shard.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use pode_core::hub::{self, LogGap, Position, SharedLog, Snapshot};
use tokio::task::coop::unconstrained;

use super::behind::Behind;
use super::client::Client;
use super::envelope::{Audience, Command, Content, Envelope, Found, Hello, Why};
use super::form::{self, Batch};
use super::policy::SubscriberPolicy;
use super::present_clients::PresentClients;
use super::shrink::shrink;
use super::slots::Slots;
use super::subscriber::Subscriber;
use super::subscriber_index::SubscriberIndex;
use crate::base::count::Count;
use crate::base::log::ration::rationed;
use crate::base::seconds::seconds;

/// How many clients of a path justify another shard. A path with fewer clients
/// stays in one shard, so that a message wakes only that one.
const CLIENTS_PER_SHARD: usize = 1024;

/// How much of what is due at once is joined into one write. The message limit
/// is so high that small messages are limited by their bytes or by the channel.
const BURST_MESSAGES: usize = 1024;
const BURST_BYTES: usize = 64 << 10;

/// The clients of a path in all shards.
#[derive(Debug)]
pub(super) struct Placement {
    /// The shard where the path's messages always go.
    home: usize,
    /// Whether all its clients are there, however many.
    stays_home: bool,
    source: hub::ReceiverSource<Envelope>,
    clients: Count,
    /// How many clients have come since the start.
    arrivals: AtomicU64,
}

/// Counts one client until this is dropped.
#[derive(Debug)]
pub(super) struct CountedClient {
    placement: Arc<Placement>,
}

impl Drop for CountedClient {
    fn drop(&mut self) {
        self.placement.leave();
    }
}

/// The placement of a new client.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) counted: CountedClient,
    pub(super) shard: usize,
    /// The path's messages from now on, if the shard may not have them yet.
    pub(super) messages: Option<hub::Receiver<Envelope>>,
    /// The arrival number: the ordinal of the client.
    pub(super) arrival: u64,
}

impl Placement {
    pub(super) fn new(
        home: usize,
        stays_home: bool,
        source: hub::ReceiverSource<Envelope>,
    ) -> Placement {
        let (clients, arrivals) = (Count::default(), AtomicU64::new(0));
        Placement { home, stays_home, source, clients, arrivals }
    }

    /// Counts a client, and chooses its shard; `None` if the path no longer
    /// delivers.
    pub(super) fn enter(self: &Arc<Self>, shards: usize) -> Option<Placed> {
        let here = self.clients.add();
        let counted = CountedClient { placement: Arc::clone(self) };
        // Round robin, so that many clients are spread evenly whichever of them
        // leave.
        let arrival = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let spread = if self.stays_home { 1 } else { (here / CLIENTS_PER_SHARD + 1).min(shards) };
        let shard = (self.home + (arrival % spread as u64) as usize) % shards;
        let messages = match shard == self.home {
            true => None,
            false => Some(self.source.receiver()?),
        };
        Some(Placed { counted, shard, messages, arrival })
    }

    /// Returns the number of clients.
    pub(super) fn clients(&self) -> usize {
        self.clients.get()
    }

    /// Waits until there is no client. Cancel safe.
    pub(super) async fn drained(&self) {
        self.clients.zero().await;
    }

    /// Stops counting a client that has gone.
    fn leave(&self) {
        self.clients.remove();
    }
}

/// A path in one shard.
pub(super) struct Path {
    pub(super) name: &'static str,
    pub(super) policy: SubscriberPolicy,
    pub(super) placement: Arc<Placement>,
    /// Absent until a client comes, except in the home shard.
    messages: Option<hub::Receiver<Envelope>>,
    /// An envelope that was taken from `messages` and is still to be handled:
    /// its audience differs from that of the one before.
    put_off: Option<(Envelope, u64)>,
    /// The number of the message that is delivered next; 0 if messages have none.
    pub(super) live: u64,
    pub(super) log: Option<Arc<SharedLog<Envelope>>>,
    /// Wakes the shard when there are messages.
    waker: Waker,
    pub(super) clients: Slots<Client>,
    /// How many envelopes were taken.
    taken: u64,
    answers: VecDeque<DueAnswer>,
    /// Slots of the clients that are not admitted yet, by arrival.
    waiting: HashMap<u64, u32>,
    /// Finds the admitted clients.
    pub(super) index: SubscriberIndex,
    /// Absent until a client comes that is told who is present.
    pub(super) present: Option<Box<PresentClients>>,
}

/// What a client is told of its own messages, behind what is on its way to it: replies
/// to these are among that.
pub(super) struct DueAnswer {
    /// How many envelopes are to be taken before.
    due: u64,
    pub(super) slot: u32,
    /// The slot may belong to another client by then.
    pub(super) arrival: u64,
    /// Up to which number they are handled, if they have numbers.
    pub(super) handled: Option<u64>,
}

/// What is due next in the channel of a path.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and most are large")]
pub(super) enum Due {
    /// Messages for whom this envelope is.
    Messages(Batch, Envelope),
    Command(Arc<Command>),
}

impl Path {
    pub(super) fn new(
        name: &'static str,
        policy: SubscriberPolicy,
        placement: Arc<Placement>,
        messages: Option<hub::Receiver<Envelope>>,
        log: Option<Arc<SharedLog<Envelope>>>,
        waker: Waker,
    ) -> Path {
        Path {
            name,
            policy,
            placement,
            messages,
            put_off: None,
            live: 0,
            log,
            waker,
            clients: Slots::new(),
            taken: 0,
            answers: VecDeque::new(),
            waiting: HashMap::new(),
            index: SubscriberIndex::default(),
            present: None,
        }
    }

    /// Takes the receiver, unless there is one already; returns whether it did.
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

    /// Makes the same path without clients, which gets the messages from now
    /// on.
    pub(super) fn begin_again(&mut self, waker: Waker) -> Path {
        let messages = self.messages.take();
        let placement = Arc::clone(&self.placement);
        let log = self.log.clone();
        let mut path = Path::new(self.name, self.policy, placement, messages, log, waker);
        (path.put_off, path.live) = (self.put_off.take(), self.live);
        path
    }

    /// Adds a client that is to be [admitted](Self::admit), and returns its
    /// slot.
    pub(super) fn join(&mut self, client: Client, counted: CountedClient) -> u32 {
        let arrival = client.subscriber.arrival;
        let slot = self.clients.insert(client);
        // The slot itself counts as the client from here on, so that `Client`
        // needn't hold the count.
        mem::forget(counted);
        self.waiting.insert(arrival, slot);
        slot
    }

    /// Admits the client with this arrival, if it waits here: from now on it is
    /// found by its id and groups. Returns its slot, and that of an earlier client
    /// with its id.
    pub(super) fn admit(&mut self, client: &Audience, arrival: u64) -> (Option<u32>, Option<u32>) {
        let Some(slot) = self.waiting.remove(&arrival) else {
            let before = self.select(client).into_iter().next();
            let came_before = |slot: &u32| self.clients[*slot].subscriber.arrival < arrival;
            return (None, before.filter(came_before));
        };
        shrink!(self.waiting);
        let before = self.index.enter(slot, &mut self.clients);
        self.clients[slot].admit();
        (Some(slot), before)
    }

    /// Has a client begin with the messages since its last position, or with those
    /// that are replayed to new ones. One that speaks `pode.v1` gets this hello before,
    /// is told when that is over, and if not all since its position are kept, which
    /// are missing; or where messages have keys, that it gets what is kept of each.
    ///
    /// # Errors
    ///
    /// The messages since its last position aren't kept, and it can't be told.
    pub(super) fn begin(
        &mut self,
        slot: u32,
        since: Option<Position>,
        hello: Option<&Hello>,
    ) -> Result<(), LogGap> {
        let client = &mut self.clients[slot];
        if !client.is_admitted() {
            return Ok(());
        }
        let Some(log) = &self.log else {
            if let Some(Hello { members, .. }) = hello {
                client.say_hello([form::hello(None, since.map(|_| false), members)]);
            }
            return Ok(());
        };
        let Subscriber { id, groups, path, .. } = &client.subscriber;
        let SubscriberPolicy { replay, has_keys, .. } = self.policy;
        let (position, is_known, begun, first_value, kept_from) = log.with(|log| {
            log.expire(seconds());
            let is_member = |group: &_| groups.as_slice().contains(group);
            let is_meant = |_, audience: &Audience| audience.is_for(id, is_member);
            let begun = match since {
                Some(since) => log.resume(path, since),
                None if has_keys => Ok(log.newest_values(path, self.live, replay.most_keys())),
                None => Ok(log.before(path, self.live, replay.most(), is_meant)),
            };
            let is_known = since.is_none_or(|since| log.knows(since));
            let first_value = log.newest_values(path, self.live, usize::MAX);
            (log.position(), is_known, begun, first_value, log.dropped_to(path))
        });
        let snapshot =
            |others_from| has_keys.then_some(Snapshot { until: position.number, others_from });
        let (from, snapshot) = match begun {
            // The last one, of which it isn't known what came before and behind it.
            Ok(from) if since.is_none() && !has_keys && from < kept_from => {
                (from, Some(Snapshot { until: kept_from, others_from: from }))
            }
            Ok(from) if since.is_none() => (from, snapshot(self.live)),
            Ok(from) => (from, None),
            Err(gap) if hello.is_none() => return Err(gap),
            Err(gap) if has_keys => (first_value.min(gap.until), snapshot(gap.until)),
            Err(gap) => (gap.until, None),
        };
        let from = from.min(self.live);
        if let Some(Hello { members, .. }) = hello {
            let epoch = position.epoch;
            let at = Some(Position { epoch, number: from });
            let hello = form::hello(at, since.map(|_| begun.is_ok()), members);
            let why = if is_known { Why::Age } else { Why::Epoch(epoch) };
            let missing = since.filter(|_| begun.is_err()).map(|since| match has_keys {
                true => form::reset(from),
                false => form::gap(Some((since.number, from)), why),
            });
            client.say_hello([hello].into_iter().chain(missing));
            if self.policy.presence > 0 {
                let present = || Box::new(PresentClients::of(log, self.policy.presence));
                self.present.get_or_insert_with(present);
            }
        }
        if from < self.live {
            client.fall_behind(Behind::new(from, hello.is_some(), snapshot));
        } else if hello.is_some() {
            let here = self.present.as_mut().map(|it| it.here(&client.subscriber.path));
            client.tell_live(here, self.live);
        }
        Ok(())
    }

    /// Removes a client; returns whether it was there.
    pub(super) fn remove(&mut self, slot: u32) -> bool {
        let Some(client) = self.clients.remove(slot) else { return false };
        self.waiting.remove(&client.subscriber.arrival);
        shrink!(self.waiting);
        self.index.leave(slot, &client.subscriber, &self.clients);
        if self.clients.first_from(0).is_none() {
            self.present = None;
        }
        end(client, self.name, &self.placement);
        true
    }

    /// Drops all clients.
    pub(super) fn clear(&mut self) {
        for client in self.clients.drain() {
            end(client, self.name, &self.placement);
        }
    }

    /// Returns the slots of an audience.
    pub(super) fn select(&self, audience: &Audience) -> Vec<u32> {
        self.index.select(audience, &self.clients).collect()
    }

    /// Returns the clients of an audience.
    pub(super) fn find(&self, audience: &Audience) -> impl Iterator<Item = Found> {
        self.index.select(audience, &self.clients).map(|slot| {
            let Subscriber { id, groups, .. } = &self.clients[slot].subscriber;
            Found { id: id.clone(), groups: groups.as_slice().to_vec() }
        })
    }

    /// Adds clients to a group.
    pub(super) fn join_group(&mut self, audience: &Audience, group: &Arc<str>) {
        for slot in self.select(audience) {
            let subscriber = &mut self.clients[slot].subscriber;
            if subscriber.groups.as_slice().contains(group) {
                continue;
            }
            if subscriber.groups.may_grow() {
                self.index.join_group(group, slot, subscriber);
                if let Some(behind) = self.clients[slot].behind() {
                    behind.note(self.live, group, true);
                }
            } else {
                let client = &subscriber.id;
                rationed!(warn, path = self.name, %client, "a client joins no further group");
            }
        }
    }

    /// Removes clients from a group.
    pub(super) fn leave_group(&mut self, audience: &Audience, group: &Arc<str>) {
        for slot in self.select(audience) {
            let client = &mut self.clients[slot];
            if client.subscriber.groups.as_slice().contains(group)
                && let Some(behind) = client.behind()
            {
                behind.note(self.live, group, false);
            }
            let subscriber = &mut client.subscriber;
            self.index.leave_group(group, slot, subscriber);
            subscriber.groups.remove(group);
        }
    }

    /// Has a client answered once the messages that are now on their way to it are
    /// delivered.
    pub(super) fn answer_later(&mut self, slot: u32, handled: Option<u64>) {
        let waiting = self.messages.as_ref().map_or(0, hub::Receiver::capacity_messages);
        let arrival = self.clients[slot].subscriber.arrival;
        let due = self.taken + waiting as u64;
        self.answers.push_back(DueAnswer { due, slot, arrival, handled });
    }

    /// Takes the next answer that is due; `is_all` if nothing is on its way any more.
    pub(super) fn next_answer(&mut self, is_all: bool) -> Option<DueAnswer> {
        let delivered = self.taken - u64::from(self.put_off.is_some());
        self.answers.front().filter(|answer| is_all || answer.due <= delivered)?;
        let answer = self.answers.pop_front();
        shrink!(self.answers);
        answer
    }

    /// Takes what is due; `None` if nothing is. Then the shard is woken for the
    /// next envelope.
    pub(super) fn next_due(&mut self) -> Option<Due> {
        let (first, next) = self.put_off.take().or_else(|| self.next_envelope())?;
        self.live = next;
        if let Envelope::Command(command) = &first {
            return Some(Due::Command(Arc::clone(command)));
        }
        let Content { audience, key, message } = first.content()?;
        let mut bytes = message.frame().len();
        let mut frames = vec![message.frame().clone()];
        let answer = |audience: Option<&Audience>| audience.and_then(|audience| audience.answer);
        let mut answers = Vec::from_iter(answer(audience));
        let mut keys = Vec::from_iter(key.cloned());
        // Looked at before the channel is seen to be empty: then what the handlers of
        // these messages have sent is in this batch or came before.
        let answered = audience.filter(|_| !answers.is_empty());
        let answered = answered.and_then(|it| self.select(it).into_iter().next());
        let answered = answered.map(|slot| &self.clients[slot]);
        let sequence = answered.and_then(|client| client.subscriber.sequence());
        let handled = answered.and_then(Client::handled);
        let mut is_all = false;
        while frames.len() < BURST_MESSAGES && bytes < BURST_BYTES {
            let Some((envelope, next)) = self.next_envelope() else {
                is_all = true;
                break;
            };
            let is_alike = |other: &Content<'_>| {
                other.audience.map(Audience::members) == audience.map(Audience::members)
                    && answer(other.audience).is_some() == answer(audience).is_some()
                    && other.key.is_some() == key.is_some()
            };
            // Only what has a number takes one, unless they come from a carrier.
            let is_next = next <= self.live + 1;
            let content = envelope.content().filter(|content| is_next && is_alike(content));
            let Some(Content { audience, key, message }) = content else {
                self.put_off = Some((envelope, next));
                break;
            };
            self.live = next;
            bytes += message.frame().len();
            frames.push(message.frame().clone());
            answers.extend(answer(audience));
            keys.extend(key.cloned());
        }
        let first_number = self.log.as_ref().map(|_| next.saturating_sub(1));
        let batch = Batch::new(frames, first_number)
            .in_log(self.log.as_ref())
            .with_answers(answers, sequence, handled.filter(|_| is_all))
            .with_keys(keys);
        Some(Due::Messages(batch, first))
    }

    /// Takes an envelope, with the number of the message behind it.
    fn next_envelope(&mut self) -> Option<(Envelope, u64)> {
        let messages = self.messages.as_mut()?;
        // Outside of the task's coop budget: once that is spent, every channel
        // would look empty. Shards yield by themselves.
        let next = unconstrained(poll_fn(|context| messages.poll_next(context)));
        match pin!(next).poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(envelope) => {
                self.taken += 1;
                Some((envelope?, messages.number()))
            }
            Poll::Pending => None,
        }
    }
}

/// Ends a client. Whoever waits until none is left then waits for what is still to be
/// done for them, so that has begun when it no longer counts.
fn end(client: Client, signal: &str, placement: &Arc<Placement>) {
    let _counted = CountedClient { placement: Arc::clone(placement) };
    client.leave(signal);
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
