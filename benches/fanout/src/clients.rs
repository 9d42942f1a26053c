//! The load generator: many WebSocket clients in one thread.
//!
//! It waits for all of them by one epoll, reads into one buffer and decodes
//! frames where they lie: nothing is put on the heap for a message.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use socket2::SockRef;

use crate::histogram::Histogram;
use crate::process::Server;
use crate::protocol::{Publish, STAMP_BYTES, Stamp, monotonic_ns};

/// How many handshakes are under way at once.
const HANDSHAKES: usize = 100;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// After the server is done, how long it takes without any message until what
/// is missing counts as lost, in nanoseconds.
const PATIENCE_NS: u64 = 1_000_000_000;

/// How long after its end a run is given up, in nanoseconds.
const RUN_TIMEOUT_NS: u64 = 30_000_000_000;

/// How often [`Clients::run`] lets its caller look at the server, in
/// nanoseconds.
const LOOK_INTERVAL_NS: u64 = 50_000_000;

const BUFFER_BYTES: usize = 256 << 10;
const EVENTS_PER_WAIT: usize = 1024;

/// The event of the server's answers; clients have their index.
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
    stream: TcpStream,
    decoder: Decoder,
    /// The number of the message that is to come next.
    next: u64,
    open: bool,
}

/// What arrived of what was published.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many messages the server published.
    pub published: u64,
    /// How many were received, over all clients.
    pub received: u64,
    /// How many were not, over all clients.
    pub lost: u64,
    /// How many came after one that was published later.
    pub out_of_order: u64,
    /// How many clients the server disconnected.
    pub cut_off: u64,
    /// From the request to the last message, in seconds.
    pub seconds: f64,
    /// From publishing to reading, of all messages.
    pub latency: Histogram,
}

impl Clients {
    /// Connects so many clients.
    ///
    /// # Errors
    ///
    /// The server refuses one, or takes more than 20 seconds for a handshake.
    pub fn open(server: &Server, clients: usize, paths: usize) -> io::Result<Clients> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, server, epoll::EventData::new_u64(ANSWER), epoll::EventFlags::IN)?;
        let mut opened = Vec::with_capacity(clients);
        for (index, stream) in connect(server.port(), clients, paths)?.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
            opened.push(Client { stream, decoder: Decoder::default(), next: 0, open: true });
        }
        let buffer = vec![0; BUFFER_BYTES].into();
        Ok(Clients { epoll, clients: opened, paths, buffer })
    }

    /// Has the server publish, and receives until all has arrived or nothing
    /// more comes. `look` is called some twenty times in a second.
    ///
    /// # Errors
    ///
    /// The server ends, says something unexpected or takes half a minute too
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
pub fn connect(port: u16, clients: usize, paths: usize) -> io::Result<Vec<TcpStream>> {
    let mut opened = Vec::with_capacity(clients);
    while opened.len() < clients {
        let first = opened.len();
        for index in first..clients.min(first + HANDSHAKES) {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(HANDSHAKE_TIMEOUT))?;
            // Ten thousand connections that wait for their last packets
            // would be in the way of the next round.
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            let request = format!(
                "GET /{} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                index % paths
            );
            stream.write_all(request.as_bytes())?;
            opened.push(stream);
        }
        for stream in &mut opened[first..] {
            read_reply(stream)?;
        }
    }
    Ok(opened)
}

/// Reads the reply of the handshake; what comes behind it is left.
fn read_reply(stream: &mut TcpStream) -> io::Result<()> {
    let mut reply = Vec::new();
    let mut byte = [0];
    while !reply.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        reply.extend_from_slice(&byte);
    }
    // The answer to the key above, from the standard (RFC 6455, section 1.3).
    let accepted = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    if reply.starts_with(b"HTTP/1.1 101 ") && reply.windows(28).any(|part| part == accepted) {
        return Ok(());
    }
    Err(io::Error::other(format!("no upgrade: {}", String::from_utf8_lossy(&reply))))
}

impl Client {
    /// Reads once, and counts what was read.
    fn receive(
        &mut self,
        epoll: &OwnedFd,
        buffer: &mut [u8],
        outcome: &mut Outcome,
    ) -> io::Result<()> {
        let read = match self.stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Ok(read) => read,
            Err(_) => 0,
        };
        if read == 0 && self.open {
            self.open = false;
            outcome.cut_off += 1;
            epoll::delete(epoll, &self.stream)?;
        }
        let now = monotonic_ns();
        let next = &mut self.next;
        self.decoder.feed(&buffer[..read], |stamp| {
            outcome.received += 1;
            if stamp.sequence < *next {
                outcome.out_of_order += 1;
            } else {
                *next = stamp.sequence + 1;
            }
            outcome.latency.record(now.saturating_sub(stamp.published_ns));
        });
        Ok(())
    }
}

/// Takes frames apart that come in pieces of any size.
#[derive(Debug)]
struct Decoder {
    /// The first bytes of a frame that is not known yet, up to its stamp.
    head: [u8; HEAD_BYTES],
    head_length: usize,
    /// How many bytes of the frame before are still to come.
    rest: usize,
}

/// The longest header and the stamp behind it.
const HEAD_BYTES: usize = 10 + STAMP_BYTES;

impl Default for Decoder {
    fn default() -> Self {
        Decoder { head: [0; HEAD_BYTES], head_length: 0, rest: 0 }
    }
}

impl Decoder {
    /// Tells of each text frame whose stamp has come.
    fn feed(&mut self, mut bytes: &[u8], mut message: impl FnMut(Stamp)) {
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            bytes = &bytes[skipped..];
            self.rest -= skipped;
            if self.head_length == 0 {
                // Nearly always, the frame begins in this piece.
                let Head::Known { length, rest, stamp } = Head::of(bytes) else {
                    self.keep(&mut bytes);
                    continue;
                };
                stamp.into_iter().for_each(&mut message);
                bytes = &bytes[length..];
                self.rest = rest;
            } else {
                self.keep(&mut bytes);
                if let Head::Known { rest, stamp, .. } = Head::of(&self.head[..self.head_length]) {
                    stamp.into_iter().for_each(&mut message);
                    self.rest = rest;
                    self.head_length = 0;
                }
            }
        }
    }

    /// Takes as many bytes as are missing for the next step.
    fn keep(&mut self, bytes: &mut &[u8]) {
        while let Head::Missing(missing) = Head::of(&self.head[..self.head_length])
            && !bytes.is_empty()
        {
            let taken = missing.min(bytes.len());
            self.head[self.head_length..][..taken].copy_from_slice(&bytes[..taken]);
            self.head_length += taken;
            *bytes = &bytes[taken..];
        }
    }
}

/// What the first bytes of a frame tell.
enum Head {
    /// At least so many more bytes are needed.
    Missing(usize),
    Known {
        /// Of the head, in bytes.
        length: usize,
        /// How many bytes of the frame come behind it.
        rest: usize,
        /// Of a text; other frames have none.
        stamp: Option<Stamp>,
    },
}

impl Head {
    fn of(bytes: &[u8]) -> Head {
        let &[_, length, ref more @ ..] = bytes else { return Head::Missing(2 - bytes.len()) };
        let (header, payload_bytes) = match (length, more) {
            (126, &[high, low, ..]) => (4, u16::from_be_bytes([high, low]).into()),
            (127, &[a, b, c, d, e, f, g, h, ..]) => {
                (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize)
            }
            (126, _) => return Head::Missing(4 - bytes.len()),
            (127, _) => return Head::Missing(10 - bytes.len()),
            // Servers don't mask, so the highest bit is never set.
            (length, _) => (2, length.into()),
        };
        const TEXT: u8 = 0x1;
        let stamped = bytes[0] & 0xf == TEXT && payload_bytes >= STAMP_BYTES;
        let length = header + if stamped { STAMP_BYTES } else { 0 };
        if bytes.len() < length {
            return Head::Missing(length - bytes.len());
        }
        let stamp = if stamped { Stamp::parse(&bytes[header..]) } else { None };
        Head::Known { length, rest: header + payload_bytes - length, stamp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol;

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let mut bytes = Vec::new();
        for (sequence, payload_bytes) in [128, 34, 126, 16 << 10, 70_000].into_iter().enumerate() {
            let json = format!("\"{}\"", protocol::text(sequence as u64, payload_bytes));
            match payload_bytes {
                ..126 => bytes.extend([0x81, payload_bytes as u8]),
                126..65_536 => {
                    bytes.extend([0x81, 126]);
                    bytes.extend((payload_bytes as u16).to_be_bytes());
                }
                _ => {
                    bytes.extend([0x81, 127]);
                    bytes.extend((payload_bytes as u64).to_be_bytes());
                }
            }
            bytes.extend(json.as_bytes());
            // A ping, and an empty pong.
            bytes.extend(b"\x89\x02hi\x8a\x00");
        }
        for piece in [1, 2, 3, 7, 36, 37, 100, 4_096, bytes.len()] {
            let mut decoder = Decoder::default();
            let mut sequences = Vec::new();
            for piece in bytes.chunks(piece) {
                decoder.feed(piece, |stamp| sequences.push(stamp.sequence));
            }
            assert_eq!(sequences, [0, 1, 2, 3, 4], "in pieces of {piece}");
            assert_eq!((decoder.head_length, decoder.rest), (0, 0), "in pieces of {piece}");
        }
    }
}
