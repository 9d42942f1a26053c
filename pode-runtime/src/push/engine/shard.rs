//! A shard: a task that owns many sockets, and writes each message to those
//! that are to get it.
//!
//! It never waits for a socket. Data that a socket doesn't take at once waits
//! in that client's send queue until the socket is writable. So a slow client
//! slows neither other clients nor the senders, and a client that is too slow
//! is cut off.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;
use pode_core::frame::Close;
use pode_core::hub::{self, Position, SharedLog};
use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::NewSubscriber;
use super::behind::{LogReader, Read};
use super::client::{Client, Progress, ReceiveContext, Taken};
use super::envelope::Envelope;
use super::form::Form;
use super::inbox::Inbox;
use super::path::{CountedClient, Path, Placement};
use super::policy::SubscriberPolicy;
use super::readiness::{Readiness, SlotId, Source};
use super::socket::Connection;
use super::subscriber::Subscriber;
use crate::base::log::access::OpeningTime;
use crate::base::seconds::seconds;
use crate::net::shutdown::told_to_stop;
use crate::push::session::{DisconnectReason, Renews};

/// How often some of the clients are pinged.
const BEAT: Duration = Duration::from_secs(1);

/// The minimum rate of a message that has begun: otherwise a client that sends
/// a byte now and then would hold memory for ever.
const MIN_BYTES_PER_SECOND: usize = 128;

/// How many clients may wait to join. Further clients wait for capacity.
const MAX_JOINS: usize = 256;

/// How many sockets are served before the shard yields to other tasks: ten
/// thousand writes take tens of milliseconds.
pub(super) const SOCKETS_PER_TURN: usize = 256;

/// Tells when other tasks are to run, while sockets are served one after the
/// other. (An `async fn` that yields by itself costs a delivery five percent of
/// its instructions outside of the kernel.)
#[derive(Default)]
pub(super) struct Turns {
    served: usize,
}

impl Turns {
    /// Counts a socket; returns whether to yield behind it.
    pub(super) fn is_over(&mut self) -> bool {
        self.served += 1;
        self.served.is_multiple_of(SOCKETS_PER_TURN)
    }
}

/// Enough for what most clients send at once.
const READ_BUFFER_BYTES: usize = 16 << 10;

/// A connection that is about to be upgraded; `None` if that fails.
pub(super) type Opening = Pin<Box<dyn Future<Output = Option<Connection>> + Send>>;

/// A client that is to join a shard.
pub(super) struct Join {
    /// The number of the path.
    pub(super) path: u32,
    /// The path's messages from now on, if the shard may not have them yet.
    pub(super) messages: Option<hub::Receiver<Envelope>>,
    pub(super) new_subscriber: NewSubscriber,
    pub(super) arrival: u64,
    pub(super) counted: CountedClient,
    pub(super) opening: Opening,
}

pub(super) struct Shard {
    pub(super) paths: Vec<Path>,
    /// Gives clients new tickets.
    pub(super) renews: Option<Arc<dyn Renews>>,
    /// The number of clients of all paths.
    pub(super) clients: usize,
    pub(super) joins: mpsc::Receiver<Join>,
    /// The clients whose 101 reply isn't sent yet.
    openings: FuturesUnordered<Pin<Box<dyn Future<Output = Opened> + Send>>>,
    pub(super) readiness: Readiness,
    /// The clients that are being closed, with their deadlines, earliest first,
    /// and what they had taken when these were set.
    pub(super) closing: VecDeque<(Instant, SlotKey, Taken)>,
    /// When clients are pinged next, and the number of that beat.
    next_beat: (Instant, u32),
    /// While clients are being closed because the shard stops: how long they may
    /// do nothing.
    pub(super) stopping: Option<Duration>,
    /// The read buffer of all clients.
    buffer: Box<[u8]>,
    /// What was read last of a log.
    read: Read,
}

/// A client's slot, which may belong to another client by now.
#[derive(Clone, Copy)]
pub(super) struct SlotKey {
    pub(super) place: SlotId,
    pub(super) arrival: u64,
}

pub(super) type Opened = (SlotKey, Option<Connection>);

/// The next thing to do.
pub(super) enum Event {
    Join(Join),
    Open(Opened),
    DropOverdue,
    Beat,
    Ready,
}

impl Shard {
    /// Makes a shard without paths, and the sender of its joins; must be called
    /// within a runtime.
    ///
    /// # Errors
    ///
    /// The system has no file descriptor left.
    pub(super) fn new(renews: Option<Arc<dyn Renews>>) -> io::Result<(Shard, mpsc::Sender<Join>)> {
        let (to_joins, joins) = mpsc::channel(MAX_JOINS);
        Ok((Shard::with(Readiness::new()?, renews, joins), to_joins))
    }

    pub(super) fn with(
        readiness: Readiness,
        renews: Option<Arc<dyn Renews>>,
        joins: mpsc::Receiver<Join>,
    ) -> Shard {
        Shard {
            paths: Vec::new(),
            renews,
            clients: 0,
            joins,
            openings: FuturesUnordered::new(),
            readiness,
            closing: VecDeque::new(),
            next_beat: (Instant::now() + BEAT, 0),
            stopping: None,
            buffer: vec![0; READ_BUFFER_BYTES].into(),
            read: Read::default(),
        }
    }

    /// Adds a path, with the next number. Its home shard gets the receiver.
    pub(super) fn add_path(
        &mut self,
        name: &'static str,
        policy: SubscriberPolicy,
        placement: Arc<Placement>,
        messages: Option<hub::Receiver<Envelope>>,
        log: Option<Arc<SharedLog<Envelope>>>,
    ) {
        self.add(|waker| Path::new(name, policy, placement, messages, log, waker));
    }

    pub(super) fn add(&mut self, path: impl FnOnce(Waker) -> Path) {
        let source = Source::Messages(self.paths.len() as u32);
        self.paths.push(path(self.readiness.waker(source)));
        // So that its first messages are polled for.
        self.readiness.again(source);
    }

    /// Delivers until `stopping` holds a deadline or its sender is gone; then
    /// closes all clients.
    pub(super) async fn deliver_all(&mut self, stopping: &mut watch::Receiver<Option<Instant>>) {
        let deadline = loop {
            let event = tokio::select! {
                deadline = told_to_stop(stopping) => break deadline,
                event = self.next_event() => event,
            };
            self.handle(event).await;
        };
        let abandoned = async { while stopping.changed().await.is_ok() {} };
        self.stop(deadline, abandoned).await;
    }

    /// Waits for something to do. Cancel safe.
    pub(super) async fn next_event(&mut self) -> Event {
        let overdue = self.closing.front().map(|(by, ..)| sleep_until(*by));
        // Without clients there is no reason to wake up.
        let beat = (self.clients > 0).then(|| sleep_until(self.next_beat.0));
        // Among several that are ready one is picked at random, so that none
        // starves another.
        tokio::select! {
            Some(join) = self.joins.recv() => Event::Join(join),
            Some(opened) = self.openings.next() => Event::Open(opened),
            Some(()) = OptionFuture::from(overdue) => Event::DropOverdue,
            Some(()) = OptionFuture::from(beat) => Event::Beat,
            () = poll_fn(|context| self.readiness.poll(context)) => Event::Ready,
        }
    }

    pub(super) async fn handle(&mut self, event: Event) {
        match event {
            Event::Join(join) => self.join(join),
            Event::Open((id, connection)) => self.open(id, connection),
            Event::DropOverdue => self.drop_overdue(),
            Event::Beat => self.beat().await,
            Event::Ready => self.handle_ready().await,
        }
    }

    pub(super) fn join(&mut self, join: Join) {
        let Join { path: number, messages, new_subscriber, arrival, counted, opening } = join;
        let path = &mut self.paths[number as usize];
        if path.listen(messages) {
            self.readiness.again(Source::Messages(number));
        }
        let NewSubscriber { id, path: own_path, groups, speaks, greeting, .. } = new_subscriber;
        let NewSubscriber { session, permit, refusal, .. } = new_subscriber;
        let subscriber = Subscriber {
            id,
            path: own_path,
            groups,
            arrival,
            end: None,
            opened: OpeningTime::now(),
            inbox: session.map(|session| Box::new(Inbox::new(session))),
            permit,
        };
        let mut client = Client::new(subscriber, speaks);
        client.greet(&greeting);
        if self.stopping.is_some() {
            client.close_last(&Close::STOPPING, DisconnectReason::Stopped, path.live);
        } else if let Some(refusal) = refusal {
            let code = refusal.code().unwrap_or_default();
            client.close_last(&refusal, DisconnectReason::ByServer { code }, path.live);
        }
        let place = SlotId { path: number, slot: path.join(client, counted) };
        self.clients += 1;
        let id = SlotKey { place, arrival };
        self.openings.push(Box::pin(async move { (id, opening.await) }));
    }

    pub(super) fn join_all(&mut self) {
        for _ in 0..MAX_JOINS {
            let Ok(join) = self.joins.try_recv() else { break };
            self.join(join);
        }
    }

    fn open(&mut self, id: SlotKey, connection: Option<Connection>) {
        if !self.is_here(id) {
            return;
        }
        let Some(mut connection) = connection else {
            return self.remove(id.place);
        };
        if let Err(error) = self.readiness.watch(&mut connection.socket, id.place) {
            tracing::error!(%error, "cannot watch a socket; its client is dropped");
            return self.remove(id.place);
        }
        self.client(id.place).open(connection);
        self.advance(id.place);
        if self.is_here(id) && !self.client(id.place).is_open() {
            self.limit(id.place);
        }
    }

    /// Looks at what is ready.
    async fn handle_ready(&mut self) {
        let mut turns = Turns::default();
        for _ in 0..self.readiness.len() {
            match self.readiness.next() {
                Some(source @ Source::Messages(path)) => {
                    if self.deliver(path).await {
                        self.readiness.again(source);
                    }
                }
                Some(Source::Client(place)) => self.advance(place),
                None => return,
            }
            if turns.is_over() {
                yield_now().await;
            }
        }
    }

    /// Has a client write its queued data and read what came.
    pub(super) fn advance(&mut self, place: SlotId) {
        let Path { name, clients, policy, log, live, present, .. } =
            &mut self.paths[place.path as usize];
        let Some(client) = clients.get_mut(place.slot) else { return };
        let was_ending = client.is_ending();
        let waker = || self.readiness.waker(Source::Client(place));
        let context = ReceiveContext { path: name, accepts: policy.accepts, waker: &waker };
        let SubscriberPolicy { limits, has_keys, .. } = *policy;
        let (log, live, on_lag) = (log.as_ref(), *live, limits.on_lag);
        let present = present.as_deref_mut();
        let mut log = LogReader { log, live, on_lag, has_keys, present, read: &mut self.read };
        match client.advance(&mut self.buffer, &context, &mut log) {
            Progress::Waits => {}
            Progress::Again => self.readiness.again(Source::Client(place)),
            Progress::Done => return self.remove(place),
        }
        if let Some(handled) = self.client(place).take_answer() {
            self.paths[place.path as usize].answer_later(place.slot, handled);
            self.readiness.again(Source::Messages(place.path));
        }
        if self.client(place).is_ending() && !was_ending {
            self.limit(place);
        }
    }

    /// Pings the clients whose turn it is. Each client has its turn once per
    /// heartbeat of its path, and not all at the same time.
    async fn beat(&mut self) {
        let (due, beat) = self.next_beat;
        // Missed beats are not made up for: clients would have no time to
        // answer.
        self.next_beat = (due.max(Instant::now()) + BEAT, beat.wrapping_add(1));
        let mut turns = Turns::default();
        for number in 0..self.paths.len() {
            let Path { name, policy, clients, log, live, .. } = &mut self.paths[number];
            let Some(heartbeat) = policy.heartbeat else { continue };
            let turn = beat % heartbeat;
            let least_bytes = MIN_BYTES_PER_SECOND.saturating_mul(heartbeat.get() as usize);
            let epoch = log.as_ref().map(|log| log.with(|log| log.position().epoch));
            let at = epoch.map(|epoch| Position { epoch, number: *live });
            let (mut dead, mut trickling) = (Vec::new(), Vec::new());
            let mut next = 0;
            while let Some(slot) = clients.first_from(next) {
                next = slot + 1;
                if slot % heartbeat != turn {
                    continue;
                }
                let client = &mut clients[slot];
                if let Some(renews) = &self.renews {
                    client.renew(&**renews, name, BEAT * heartbeat.get());
                }
                if !client.ask_for_life(at) {
                    tracing::debug!(path = name, "a client answers no heartbeat");
                    client.subscriber.end.get_or_insert(DisconnectReason::TimedOut);
                    client.reset();
                    dead.push(SlotId { path: number as u32, slot });
                } else if client.trickles(least_bytes) {
                    tracing::debug!(path = name, "a message comes too slowly");
                    trickling.push(SlotId { path: number as u32, slot });
                }
                if turns.is_over() {
                    yield_now().await;
                }
            }
            dead.into_iter().for_each(|place| self.remove(place));
            for place in trickling {
                let (close, code) = match self.client(place).form() {
                    Form::Plain => (Close::TRICKLES, 1008),
                    Form::V1 | Form::Events => (Close::TRICKLES_V1, 4408),
                };
                self.end(place, &close, DisconnectReason::Error { code });
            }
        }
        for Path { log, .. } in &self.paths {
            if let Some(log) = log {
                log.with(|log| log.expire(seconds()));
            }
        }
        self.recount().await;
        self.close_idle(beat).await;
    }

    pub(super) fn client(&mut self, place: SlotId) -> &mut Client {
        &mut self.paths[place.path as usize].clients[place.slot]
    }

    pub(super) fn is_here(&self, id: SlotKey) -> bool {
        let clients = &self.paths[id.place.path as usize].clients;
        clients.get(id.place.slot).is_some_and(|client| client.subscriber.arrival == id.arrival)
    }

    pub(super) fn remove(&mut self, place: SlotId) {
        if self.paths[place.path as usize].remove(place.slot) {
            self.clients -= 1;
        }
    }
}
