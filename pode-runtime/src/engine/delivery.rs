//! The delivery task of a signal path: from its channel to all its clients.
//!
//! The task owns the write sides of the path's clients and never waits for a
//! socket. A message is written to each client at once; what a socket doesn't
//! take waits in that client's queue until the task is woken because some
//! socket can be written to. So a slow client slows neither its neighbours nor
//! the senders, and one that is too slow is cut off.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{OptionFuture, poll_fn};
use pode_core::{Message, hub};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet, coop};
use tokio::time::{Instant, sleep_until};

use super::client::{Burst, Client, QueueLimits, Socket, TooSlow, Writer};
use super::frame::Close;
use super::reader;
use crate::shutdown::told_to_stop;

/// How long a client may take to accept a close frame and to answer it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many commands may wait. Those who send them wait for room.
const MAX_COMMANDS: usize = 256;

/// How much of what is due at once is joined into one write. Messages are so
/// many that small ones are bounded by their bytes, or by the channel.
const BURST_MESSAGES: usize = 1024;
const BURST_BYTES: usize = 64 << 10;

/// A connection that is about to be upgraded; none if that fails.
pub(super) type Opening = Pin<Box<dyn Future<Output = Option<Box<dyn Socket>>> + Send>>;

/// A client goes by the id of the task that reads from it.
pub(super) type ClientId = tokio::task::Id;

/// What the delivery is told about clients.
pub(super) enum Command {
    /// Someone asked to listen.
    Join(Opening),
    /// The 101 reply was sent.
    Open(ClientId, Writer),
    /// A ping is to be answered with this frame; see [`Client::pong`].
    Pong(ClientId, Bytes, oneshot::Sender<()>),
    /// The client said its last word; this is the answer.
    Close(ClientId, Close),
}

/// The delivery task of one path.
pub(super) struct Delivery {
    messages: hub::Delivery,
    limits: QueueLimits,
    audience: Audience,
}

/// Those who listen to a path, and what they say.
struct Audience {
    commands: mpsc::Receiver<Command>,
    /// Cloned for each reader.
    to_commands: mpsc::Sender<Command>,
    /// A task for each client, which ends when the client does.
    readers: JoinSet<()>,
    clients: Clients,
}

/// The clients of a path.
#[derive(Default)]
struct Clients {
    by_id: HashMap<ClientId, Client>,
    /// Those with something to write or to clean up.
    busy: HashSet<ClientId>,
    /// Who is to be gone by when, earliest first.
    closing: VecDeque<(Instant, ClientId)>,
    /// Whether everyone is told that the server stops.
    stopping: bool,
}

impl Delivery {
    pub(super) fn new(
        messages: hub::Delivery,
        limits: QueueLimits,
    ) -> (Delivery, mpsc::Sender<Command>) {
        let (to_commands, commands) = mpsc::channel(MAX_COMMANDS);
        let audience = Audience {
            commands,
            to_commands: to_commands.clone(),
            readers: JoinSet::new(),
            clients: Clients::default(),
        };
        (Delivery { messages, limits, audience }, to_commands)
    }

    /// Delivers until `stopping` holds a deadline, or nobody is left to set
    /// one; then takes leave of all clients.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<Option<Instant>>) {
        let deadline = loop {
            // Among several that are ready one is picked at random, so that
            // none starves another.
            tokio::select! {
                deadline = told_to_stop(&mut stopping) => break deadline,
                Some(message) = self.messages.next() => self.deliver(message).await,
                () = self.audience.tend() => {}
            }
        };
        self.messages.close();
        while let Some(message) = self.messages.try_next() {
            self.deliver(message).await;
        }
        let abandoned = async { while stopping.changed().await.is_ok() {} };
        self.audience.stop(deadline, abandoned).await;
    }

    /// Writes a message, and those behind it that are there already, to all
    /// clients.
    async fn deliver(&mut self, first: Message) {
        let mut bytes = first.frame().len();
        let mut frames = vec![first.frame().clone()];
        while frames.len() < BURST_MESSAGES
            && bytes < BURST_BYTES
            && let Some(message) = self.messages.try_next()
        {
            bytes += message.frame().len();
            frames.push(message.frame().clone());
        }
        // Those who joined before these messages were sent are to get them.
        self.audience.obey_all();
        let path = self.messages.path();
        self.audience.clients.send(&Burst::new(frames), self.limits, path).await;
    }
}

impl Audience {
    /// Waits for the next thing that happens to a client, and does what it
    /// asks for.
    ///
    /// Cancel safe: dropped midway, nothing was taken and not done.
    async fn tend(&mut self) {
        let overdue = self.clients.closing.front().map(|(by, _)| sleep_until(*by));
        tokio::select! {
            Some(command) = self.commands.recv() => self.obey(command),
            Some(ended) = self.readers.join_next_with_id() => self.reader_ended(ended),
            Some(()) = OptionFuture::from(overdue) => self.clients.drop_overdue(),
            () = poll_fn(|context| self.clients.poll_busy(context)) => {}
        }
    }

    /// Says goodbye to all clients and waits for their answers; drops those
    /// who are left at the deadline, or when nobody waits for it any more.
    async fn stop(&mut self, deadline: Instant, abandoned: impl Future<Output = ()>) {
        // Whoever asked before is told, too.
        self.obey_all();
        self.clients.stop();
        let all_gone = async {
            while !self.clients.by_id.is_empty() {
                self.tend().await;
            }
        };
        tokio::select! {
            // First of all, so that goodbye is said even when it is late.
            biased;
            () = all_gone => {}
            () = abandoned => {}
            () = sleep_until(deadline) => {}
        }
        self.clients.by_id.clear();
        self.readers.shutdown().await;
    }

    /// Obeys the commands that are there now.
    fn obey_all(&mut self) {
        for _ in 0..MAX_COMMANDS {
            let Ok(command) = self.commands.try_recv() else { break };
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Join(opening) => {
                let reader = self.readers.spawn(open_and_read(opening, self.to_commands.clone()));
                self.clients.join(reader);
            }
            Command::Open(id, writer) => self.clients.change(id, |client| client.open(writer)),
            Command::Pong(id, frame, taken) => {
                self.clients.change(id, |client| client.pong(frame, taken));
            }
            Command::Close(id, close) => {
                self.clients.change(id, |client| client.peer_finished(close));
                self.clients.limit(id);
            }
        }
    }

    fn reader_ended(&mut self, ended: Result<(ClientId, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => error.id(),
        };
        // The close frame that it read last may be owed an answer.
        self.obey_all();
        self.clients.change(id, Client::reader_ended);
    }
}

/// The reader task of a client.
async fn open_and_read(opening: Opening, commands: mpsc::Sender<Command>) {
    let id = tokio::task::id();
    if let Some(socket) = opening.await {
        let (reading, writing) = tokio::io::split(socket);
        if commands.send(Command::Open(id, writing)).await.is_ok() {
            reader::read(reading, id, commands).await;
        }
    }
}

impl Clients {
    fn join(&mut self, reader: AbortHandle) {
        let id = reader.id();
        self.by_id.insert(id, Client::new(reader));
        if self.stopping {
            self.change(id, |client| client.close_last(Close::STOPPING));
        }
    }

    /// Says goodbye to everyone, now and from now on.
    fn stop(&mut self) {
        self.stopping = true;
        for (id, client) in &mut self.by_id {
            client.close_last(Close::STOPPING);
            if client.is_busy() {
                self.busy.insert(*id);
            }
        }
    }

    /// Writes a burst to each client; those who are too slow for it miss some,
    /// or are cut off.
    async fn send(&mut self, burst: &Burst, limits: QueueLimits, path: &str) {
        for (id, client) in &mut self.by_id {
            // Ten thousand writes take tens of milliseconds, and other tasks
            // want to run, too.
            coop::consume_budget().await;
            let sent = poll_fn(|context| Poll::Ready(client.send(context, burst, limits))).await;
            match sent {
                Ok(0) => {}
                Ok(messages) => {
                    tracing::debug!(path, messages, "a client that reads too slowly misses some");
                }
                Err(TooSlow) => {
                    tracing::info!(path, "cut off a client that reads too slowly");
                    client.close(Close::TOO_SLOW);
                    self.closing.push_back((Instant::now() + CLOSE_TIMEOUT, *id));
                }
            }
            if client.is_busy() {
                self.busy.insert(*id);
            }
        }
    }

    /// Changes a client, unless it has gone meanwhile.
    fn change(&mut self, id: ClientId, change: impl FnOnce(&mut Client)) {
        let Some(client) = self.by_id.get_mut(&id) else { return };
        change(client);
        if client.is_busy() {
            self.busy.insert(id);
        }
    }

    /// Gives a client that is being closed its time.
    fn limit(&mut self, id: ClientId) {
        self.closing.push_back((Instant::now() + CLOSE_TIMEOUT, id));
    }

    /// Goes once through the busy clients: writes what their sockets take, and
    /// drops those who are done. Ready if fewer are busy than before.
    fn poll_busy(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let before = self.busy.len();
        self.busy.retain(|id| {
            let Some(client) = self.by_id.get_mut(id) else { return false };
            if !client.is_done() && client.poll_write(context).is_pending() {
                return true;
            }
            if client.is_done() {
                self.by_id.remove(id);
            }
            false
        });
        if self.busy.len() < before { Poll::Ready(()) } else { Poll::Pending }
    }

    fn drop_overdue(&mut self) {
        let now = Instant::now();
        while let Some((by, id)) = self.closing.front()
            && *by <= now
        {
            self.by_id.remove(id);
            self.closing.pop_front();
        }
    }
}
