//! The floor: the minimum cost of a broadcast over sockets.
//!
//! One thread, one epoll, and for each message one `send` of the ready frame
//! to each socket of the path. With `cork`, messages of a path that are due
//! together are joined, so that one `send` takes them all. With a history, one
//! `send` takes the answer to a handshake and all that the client missed. There
//! is no HTTP but the handshake, and no WebSocket but the outgoing frames: what
//! remains is the kernel, and behind TLS the encryption for each client.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use headers::{Header, HeaderValue, SecWebsocketAccept, SecWebsocketKey};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustls::ServerConfig;

use super::listen;
use super::tls::{self, Stream};
use crate::protocol::{Publish, monotonic_ns, text};

/// The event data of everything but clients; clients have their index.
const LISTENER: u64 = u64::MAX;
const REQUESTS: u64 = u64::MAX - 1;

/// The maximum of bytes that are joined into one `send`.
const CORK_BYTES: usize = 64 << 10;

/// How many bytes may wait for a client before it is disconnected.
const MAX_BACKLOG_BYTES: usize = 1 << 20;

struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    clients: Vec<Option<Client>>,
    /// The indices of the clients of each path.
    paths: Vec<Vec<u32>>,
    mode: Mode,
    /// All frames that were sent, if there is a history.
    history: Vec<u8>,
    tls: Option<Arc<ServerConfig>>,
    publishing: Option<Publishing>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    /// Messages that are due together are joined.
    Cork,
    /// Messages are kept; a position is `from=` and their bytes.
    History,
}

struct Client {
    stream: Stream,
    /// Absent until the handshake is done.
    path: Option<u32>,
    /// During the handshake, the bytes that were read; later, the bytes that
    /// the socket didn't take.
    backlog: Vec<u8>,
}

struct Publishing {
    publish: Publish,
    start: u64,
    next: u64,
}

pub(super) fn serve(paths: usize, certificate: Option<&Path>, mode: Mode) -> io::Result<()> {
    let tls = certificate.map(tls::config).transpose()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let listener = listen()?;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let requests = io::stdin();
    epoll::add(&epoll, &requests, epoll::EventData::new_u64(REQUESTS), epoll::EventFlags::IN)?;
    println!("listening {}", listener.local_addr()?.port());
    let paths = vec![Vec::new(); paths];
    let (clients, history, publishing) = (Vec::new(), Vec::new(), None);
    let mut floor = Floor { epoll, listener, clients, paths, mode, history, tls, publishing };
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        let timeout = floor.publishing.as_ref().map(Publishing::wait);
        match epoll::wait(&floor.epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => floor.accept()?,
                REQUESTS => {
                    let mut line = String::new();
                    if requests.read_line(&mut line)? == 0 {
                        return Ok(());
                    }
                    let publish = Publish::parse(&line)?;
                    floor.publishing = Some(Publishing { publish, start: monotonic_ns(), next: 0 });
                }
                index => floor.client_ready(index as u32)?,
            }
        }
        floor.publish_due()?;
    }
}

impl Publishing {
    /// Returns how long it is until the next message is due, in whole
    /// milliseconds as with the timers of the other servers.
    fn wait(&self) -> Timespec {
        let due = self.start + self.publish.due(self.next);
        let milliseconds = due.saturating_sub(monotonic_ns()).div_ceil(1_000_000);
        Timespec {
            tv_sec: (milliseconds / 1_000) as _,
            tv_nsec: (milliseconds % 1_000 * 1_000_000) as _,
        }
    }

    fn is_due(&self, message: u64, now: u64) -> bool {
        message < self.publish.messages && self.publish.due(message) <= now
    }
}

impl Floor {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            let stream = Stream::new(stream, self.tls.as_ref())?;
            let data = epoll::EventData::new_u64(self.clients.len() as u64);
            epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
            self.clients.push(Some(Client { stream, path: None, backlog: Vec::new() }));
        }
    }

    /// Reads, or writes the backlog.
    fn client_ready(&mut self, index: u32) -> io::Result<()> {
        let Some(client) = &mut self.clients[index as usize] else { return Ok(()) };
        if client.path.is_some() && !client.backlog.is_empty() {
            let backlog = std::mem::take(&mut client.backlog);
            return self.send(index, &backlog);
        }
        let mut bytes = [0; 4096];
        let read = match client.stream.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Ok(read) => read,
            Err(_) => 0,
        };
        if read == 0 {
            self.drop_client(index);
        } else if client.path.is_none() {
            client.backlog.extend_from_slice(&bytes[..read]);
            if client.backlog.ends_with(b"\r\n\r\n") {
                let request = std::mem::take(&mut client.backlog);
                self.answer(index, &String::from_utf8_lossy(&request))?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, index: u32, request: &str) -> io::Result<()> {
        let target = request.strip_prefix("GET /").and_then(|rest| rest.split(' ').next());
        let (path, query) = target.map_or(("", ""), |it| it.split_once('?').unwrap_or((it, "")));
        let from: Option<usize> = query.strip_prefix("from=").and_then(|from| from.parse().ok());
        let path: Option<u32> = path.parse().ok();
        let known = path.filter(|path| (*path as usize) < self.paths.len());
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let (Some(path), Some(key)) = (known, key) else {
            self.drop_client(index);
            return Ok(());
        };
        let key = HeaderValue::from_str(key).map_err(io::Error::other)?;
        let key = SecWebsocketKey::decode(&mut [key].iter()).map_err(io::Error::other)?;
        let mut accept = Vec::new();
        SecWebsocketAccept::from(key).encode(&mut accept);
        let accept = accept[0].to_str().map_err(io::Error::other)?;
        if let Some(client) = &mut self.clients[index as usize] {
            client.path = Some(path);
            self.paths[path as usize].push(index);
        }
        let mut reply = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .into_bytes();
        reply.extend(from.and_then(|from| self.history.get(from..)).unwrap_or_default());
        self.send(index, &reply)
    }

    /// Publishes the next message, or all that are due of its path. Later
    /// messages have their turn after other events were handled.
    fn publish_due(&mut self) -> io::Result<()> {
        let Some(publishing) = &mut self.publishing else { return Ok(()) };
        let paths = self.paths.len() as u64;
        let now = monotonic_ns() - publishing.start;
        let first = publishing.next;
        let publish = publishing.publish;
        if first == publish.messages || now > publish.deadline() {
            self.publishing = None;
            match self.mode {
                Mode::History => println!("done {first} from={}", self.history.len()),
                _ => println!("done {first}"),
            }
            return Ok(());
        }
        let mut bytes = Vec::new();
        while publishing.is_due(publishing.next, now) {
            frame(&mut bytes, &text(publishing.next / paths, publish.payload_bytes));
            publishing.next += 1;
            // With several paths, the next message is another path's.
            if self.mode != Mode::Cork || paths > 1 || bytes.len() >= CORK_BYTES {
                break;
            }
        }
        if !bytes.is_empty() {
            let path = (first % paths) as usize;
            // Backwards, since a client that fails is removed.
            for position in (0..self.paths[path].len()).rev() {
                self.send(self.paths[path][position], &bytes)?;
            }
            if self.mode == Mode::History {
                self.history.extend(bytes);
            }
        }
        Ok(())
    }

    /// Sends, and keeps the bytes that the socket doesn't take.
    fn send(&mut self, index: u32, bytes: &[u8]) -> io::Result<()> {
        let Some(client) = &mut self.clients[index as usize] else { return Ok(()) };
        let written = if client.backlog.is_empty() { client.stream.write(bytes) } else { Ok(0) };
        let written = match written {
            Ok(written) if written == bytes.len() && !client.stream.holds_back() => return Ok(()),
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.drop_client(index);
                return Ok(());
            }
        };
        client.backlog.extend_from_slice(&bytes[written..]);
        if client.backlog.len() > MAX_BACKLOG_BYTES {
            self.drop_client(index);
            return Ok(());
        }
        let data = epoll::EventData::new_u64(index.into());
        // Edge-triggered: reports once when the socket is writable; reading
        // goes on.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        Ok(epoll::modify(&self.epoll, &client.stream, data, flags)?)
    }

    fn drop_client(&mut self, index: u32) {
        let Some(client) = self.clients[index as usize].take() else { return };
        if let Some(path) = client.path {
            self.paths[path as usize].retain(|other| *other != index);
        }
    }
}

/// Appends a text frame whose payload is the text as JSON.
fn frame(bytes: &mut Vec<u8>, text: &str) {
    let length = text.len() + 2;
    bytes.push(0x81);
    match length {
        ..126 => bytes.push(length as u8),
        126..65_536 => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([b"\"", text.as_bytes(), b"\""].concat());
}
