//! The load generator: many WebSocket clients in one thread.
//!
//! It waits for all of them with one epoll, reads into one buffer and decodes
//! frames in place: without TLS, a message allocates nothing.

mod connection;
mod decoder;
mod tls;

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use self::connection::{Connection, connect};
use self::decoder::Decoder;
use crate::histogram::Histogram;
use crate::process::Server;
use crate::protocol::{Publish, monotonic_ns};

/// After the server is done, how long no message comes until the missing ones
/// count as lost, in nanoseconds.
const PATIENCE_NS: u64 = 1_000_000_000;

/// How long after its end a run is aborted, in nanoseconds.
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
    clients: Vec<Client>,
    paths: usize,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Client {
    connection: Connection,
    decoder: Decoder,
    /// The number of the message that is to come next.
    next: u32,
    open: bool,
}

/// The result of publishing.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many messages the server published.
    pub published: u64,
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
        let mut opened = Vec::with_capacity(clients);
        let connections = connect(server.port(), clients, paths, server.speaks_tls())?;
        for (index, connection) in connections.into_iter().enumerate() {
            connection.stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, &connection.stream, data, epoll::EventFlags::IN)?;
            opened.push(Client { connection, decoder: Decoder::default(), next: 0, open: true });
        }
        let buffer = vec![0; BUFFER_BYTES].into();
        Ok(Clients { epoll, clients: opened, paths, buffer })
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
        mut look: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        self.clients.iter_mut().for_each(|client| client.next = 0);
        let start = monotonic_ns();
        server.ask(publish)?;
        let mut expected = None;
        let mut last_message = start;
        let mut next_look = start + LOOK_INTERVAL_NS;
        let mut events = Vec::with_capacity(EVENTS_PER_WAIT);
        let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK_INTERVAL_NS as _ };
        while expected != Some(outcome.received) {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let before = outcome.received;
            for event in &events {
                let data = event.data.u64();
                if data != ANSWER {
                    self.clients[data as usize].receive(
                        &self.epoll,
                        &mut self.buffer,
                        &mut outcome,
                    )?;
                } else if let Some(published) = server.read_answer()? {
                    outcome.published = published;
                    expected = Some(self.expected(published));
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
            if now > start + publish.deadline() + RUN_TIMEOUT_NS {
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
    let connections = connect(server.port(), clients, paths, server.speaks_tls())?;
    Ok(connections.into_iter().map(|connection| connection.stream).collect())
}

impl Client {
    /// Reads once, and counts what was read.
    fn receive(
        &mut self,
        epoll: &OwnedFd,
        buffer: &mut [u8],
        outcome: &mut Outcome,
    ) -> io::Result<()> {
        let Client { connection, decoder, next, .. } = self;
        let mut now_ns = None;
        let read = connection.read(buffer, |bytes| {
            let now_ns = *now_ns.get_or_insert_with(monotonic_ns);
            decoder.feed(bytes, |stamp| {
                outcome.received += 1;
                if stamp.sequence < *next {
                    outcome.out_of_order += 1;
                } else {
                    *next = stamp.sequence + 1;
                }
                outcome.latency.record(stamp.age_ns(now_ns));
            });
        });
        if std::mem::take(&mut decoder.pinged) {
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
