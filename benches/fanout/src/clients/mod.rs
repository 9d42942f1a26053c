//! The load generator: many WebSocket clients in one thread.
//!
//! It waits for all of them with one epoll, reads into one buffer and decodes
//! frames in place: without TLS, a message allocates nothing.

mod connection;
mod decoder;
mod socket_io;
mod tls;

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use self::connection::{Connection, Connector, HANDSHAKES, Newcomer};
use self::decoder::{Decoder, PODE_V1_PREFIX_BYTES};
use crate::histogram::Histogram;
use crate::process::{Published, Server};
use crate::protocol::{Dialect, Publish, monotonic_ns};

/// After the server is done, how long no message comes until the missing ones
/// count as lost, in nanoseconds.
const PATIENCE_NS: u64 = 1_000_000_000;

/// How long after its end, or after the last client has come back, a run is aborted,
/// in nanoseconds.
const RUN_TIMEOUT_NS: u64 = 30_000_000_000;

/// How often [`Clients::run`] calls `look`, in nanoseconds.
const LOOK_INTERVAL_NS: u64 = 50_000_000;

const BUFFER_BYTES: usize = 256 << 10;
const EVENTS_PER_WAIT: usize = 1024;

/// The event data of the server's answers; clients have their index.
const ANSWER: u64 = u64::MAX;

/// Connected clients, spread evenly over the paths.
#[derive(Debug)]
pub struct Clients {
    epoll: OwnedFd,
    connector: Connector,
    clients: Vec<Client>,
    paths: usize,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Client {
    connection: Connection,
    progress: Progress,
    open: bool,
}

/// How far a client has come.
#[derive(Debug)]
struct Progress {
    decoder: Decoder,
    /// The number of the message that is to come next.
    next: u32,
}

/// Clients that aren't connected.
#[derive(Debug, Default)]
pub struct Away {
    clients: Vec<Newcomer>,
    /// From where they go on when they come back, if the server keeps messages.
    position: Option<String>,
}

impl Away {
    /// Returns the number of clients.
    pub fn count(&self) -> usize {
        self.clients.len()
    }
}

/// The result of publishing.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many messages the server published.
    pub published: u64,
    /// The position behind them, if the server keeps messages.
    pub position: Option<String>,
    /// How many messages were received, over all clients.
    pub received: u64,
    /// How many messages were not received, over all clients.
    pub lost: u64,
    /// How many messages came after one that was published later.
    pub out_of_order: u64,
    /// How many clients the server disconnected.
    pub cut_off: u64,
    /// From the request to the last message, in seconds.
    pub seconds: f64,
    /// The latencies of all messages, from publishing to reading.
    pub latency: Histogram,
}

impl Clients {
    /// Connects this many clients, by TLS if the server speaks it.
    ///
    /// # Errors
    ///
    /// The server refuses one, or takes more than 20 seconds for a handshake.
    pub fn open(server: &Server, clients: usize, paths: usize) -> io::Result<Clients> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, server, epoll::EventData::new_u64(ANSWER), epoll::EventFlags::IN)?;
        let (connector, buffer) = (Connector::to(server)?, vec![0; BUFFER_BYTES].into());
        let mut away = Away { clients: newcomers(clients, paths), position: None };
        let clients = Vec::with_capacity(clients);
        let mut opened = Clients { epoll, connector, clients, paths, buffer };
        while !away.clients.is_empty() {
            opened.connect_some(&mut away, &mut Outcome::default())?;
        }
        Ok(opened)
    }

    /// Connects as many of those that are away as may be under way at once, and
    /// counts what came with their handshakes.
    fn connect_some(&mut self, away: &mut Away, outcome: &mut Outcome) -> io::Result<()> {
        let Away { clients, position } = away;
        let some: Vec<_> = clients.drain(..clients.len().min(HANDSHAKES)).collect();
        let prefix = match self.connector.dialect {
            Dialect::Plain => 0,
            Dialect::SocketIo => socket_io::PREFIX_BYTES,
            Dialect::PodeV1 => PODE_V1_PREFIX_BYTES,
        };
        for mut connection in self.connector.connect(&some, position.as_deref())? {
            connection.stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(self.clients.len() as u64);
            epoll::add(&self.epoll, &connection.stream, data, epoll::EventFlags::IN)?;
            let early = std::mem::take(&mut connection.early);
            let mut progress = Progress { decoder: Decoder::new(prefix), next: 0 };
            progress.take(&early, monotonic_ns(), outcome);
            self.clients.push(Client { connection, progress, open: true });
        }
        Ok(())
    }

    /// Cuts all connections, without a word, after all messages up to a position have
    /// come.
    pub fn cut(&mut self, position: Option<String>) -> Away {
        let mut clients = newcomers(self.clients.len(), self.paths);
        for (newcomer, client) in clients.iter_mut().zip(self.clients.drain(..)) {
            newcomer.key = client.connection.key;
        }
        Away { clients, position }
    }

    /// Has those that were cut come back, and receives until each has what was
    /// published meanwhile, if the server keeps it, or no more comes. Calls `look` as
    /// [`run`](Self::run) does.
    ///
    /// # Errors
    ///
    /// The server refuses one, ends, or takes too long.
    pub fn come_back(
        &mut self,
        server: &mut Server,
        away: Away,
        missed: u64,
        look: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Outcome> {
        let each = if away.position.is_some() { missed } else { 0 };
        let expected = each * away.count() as u64;
        let outcome = self.receive(server, away, Some(expected), 0, look)?;
        Ok(Outcome { published: missed, ..outcome })
    }

    /// Makes the server publish, and receives until all messages have arrived or
    /// no more come. Calls `look` some twenty times in a second.
    ///
    /// # Errors
    ///
    /// The server ends, answers something unexpected or takes half a minute too
    /// long.
    pub fn run(
        &mut self,
        server: &mut Server,
        publish: &Publish,
        look: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Outcome> {
        self.clients.iter_mut().for_each(|client| client.progress.next = 0);
        server.ask(publish)?;
        self.receive(server, Away::default(), None, publish.deadline(), look)
    }

    /// Receives until as many messages as are expected have arrived, or no more come.
    /// If it isn't known how many, the server will tell. Those that are away come back
    /// meanwhile.
    fn receive(
        &mut self,
        server: &mut Server,
        mut away: Away,
        mut expected: Option<u64>,
        duration_ns: u64,
        mut look: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let start = monotonic_ns();
        let mut end = start + duration_ns + RUN_TIMEOUT_NS;
        let mut last_message = start;
        let mut next_look = start + LOOK_INTERVAL_NS;
        let mut events = Vec::with_capacity(EVENTS_PER_WAIT);
        while !away.clients.is_empty() || expected != Some(outcome.received) {
            let before = outcome.received;
            let mut timeout = Timespec { tv_sec: 0, tv_nsec: LOOK_INTERVAL_NS as _ };
            if !away.clients.is_empty() {
                self.connect_some(&mut away, &mut outcome)?;
                timeout.tv_nsec = 0;
                last_message = monotonic_ns();
                end = last_message + RUN_TIMEOUT_NS;
            }
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let data = event.data.u64();
                if data != ANSWER {
                    self.clients[data as usize].receive(
                        &self.epoll,
                        &mut self.buffer,
                        &mut outcome,
                    )?;
                } else if let Some(Published { messages, position }) = server.read_answer()? {
                    (outcome.published, outcome.position) = (messages, position);
                    expected = Some(self.expected(messages));
                }
            }
            let now = monotonic_ns();
            if outcome.received > before {
                last_message = now;
            }
            if now >= next_look {
                look()?;
                next_look = now + LOOK_INTERVAL_NS;
            }
            if expected.is_some() && now > last_message + PATIENCE_NS {
                break;
            }
            if now > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        outcome.seconds = (last_message - start) as f64 / 1e9;
        outcome.lost = expected.unwrap_or(0).saturating_sub(outcome.received);
        Ok(outcome)
    }

    /// Returns how many messages clients are to receive altogether.
    fn expected(&self, published: u64) -> u64 {
        let paths = self.paths;
        let of = |index| Publish::on_path(published, index % paths, paths);
        (0..self.clients.len()).map(of).sum()
    }
}

/// Connects clients that will never read what is sent to them.
///
/// # Errors
///
/// As for [`Clients::open`].
pub fn connect_stuck(server: &Server, clients: usize, paths: usize) -> io::Result<Vec<TcpStream>> {
    let connector = Connector::to(server)?;
    let mut streams = Vec::with_capacity(clients);
    for some in newcomers(clients, paths).chunks(HANDSHAKES) {
        let connections = connector.connect(some, None)?;
        streams.extend(connections.into_iter().map(|connection| connection.stream));
    }
    Ok(streams)
}

/// Spreads clients evenly over the paths.
fn newcomers(clients: usize, paths: usize) -> Vec<Newcomer> {
    (0..clients).map(|index| Newcomer { path: index % paths, key: None }).collect()
}

impl Client {
    /// Reads once, and counts what was read.
    fn receive(
        &mut self,
        epoll: &OwnedFd,
        buffer: &mut [u8],
        outcome: &mut Outcome,
    ) -> io::Result<()> {
        let Client { connection, progress, .. } = self;
        let mut now_ns = None;
        let read = connection.read(buffer, |bytes| {
            progress.take(bytes, *now_ns.get_or_insert_with(monotonic_ns), outcome);
        });
        if std::mem::take(&mut progress.decoder.pinged) {
            connection.pong()?;
        }
        let read = match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Ok(read) => read,
            Err(_) => 0,
        };
        if read == 0 && self.open {
            self.open = false;
            outcome.cut_off += 1;
            epoll::delete(epoll, &self.connection.stream)?;
        }
        Ok(())
    }
}

impl Progress {
    /// Counts the messages in what was read.
    fn take(&mut self, bytes: &[u8], now_ns: u64, outcome: &mut Outcome) {
        let Progress { decoder, next } = self;
        decoder.feed(bytes, |stamp| {
            outcome.received += 1;
            if stamp.sequence < *next {
                outcome.out_of_order += 1;
            } else {
                *next = stamp.sequence + 1;
            }
            outcome.latency.record(stamp.age_ns(now_ns));
        });
    }
}
