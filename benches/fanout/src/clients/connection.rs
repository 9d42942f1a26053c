//! A client's connection, plain or behind TLS, and its handshake: that of WebSocket,
//! and for servers that speak it that of Socket.IO.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::SockRef;

use super::socket_io;
use super::tls::{self, Session};
use crate::process::Server;
use crate::protocol::Dialect;

/// How many handshakes are under way at once.
pub(super) const HANDSHAKES: usize = 100;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// How many bytes of an answer are read at once; answers to a handshake are
/// shorter.
const ANSWER_BYTES: usize = 8 << 10;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Absent without TLS.
    session: Option<Box<Session>>,
    /// What was read behind the handshake.
    pub(super) early: Vec<u8>,
    /// With which a client of Socket.IO comes back.
    pub(super) key: Option<String>,
}

/// Who connects.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) path: usize,
    /// Only if it comes back.
    pub(super) key: Option<String>,
}

impl Connection {
    /// Reads once, and passes the bytes to `plaintext`, in one piece for each
    /// TLS record. Returns how many bytes were read, 0 at the end.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut plaintext: impl FnMut(&[u8]),
    ) -> io::Result<usize> {
        let Some(session) = &mut self.session else {
            let read = self.stream.read(buffer)?;
            plaintext(&buffer[..read]);
            return Ok(read);
        };
        let start = session.restore(buffer);
        let read = self.stream.read(&mut buffer[start..])?;
        let outgoing = session.decrypt(&mut buffer[..start + read], plaintext)?;
        if !outgoing.is_empty() {
            self.stream.write_all(&outgoing)?;
        }
        Ok(read)
    }

    fn start_tls(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let hello = session.decrypt(&mut [], |_| {})?;
        self.stream.write_all(&hello)
    }

    fn finish_tls(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        while self.session.as_ref().is_some_and(|session| session.is_handshaking()) {
            if self.read(buffer, |_| {})? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Answers a ping, so that the server doesn't drop the client.
    pub(super) fn pong(&mut self) -> io::Result<()> {
        self.write(b"\x8a\x80\0\0\0\0")
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.session {
            Some(session) => self.stream.write_all(&session.encrypt(bytes)?),
            None => self.stream.write_all(bytes),
        }
    }

    /// Reads until what is behind the handshake has what is looked for, and returns
    /// that.
    fn read_early<T>(
        &mut self,
        buffer: &mut [u8],
        find: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<T> {
        let mut early = std::mem::take(&mut self.early);
        let found = loop {
            if let Some(found) = find(&early) {
                break found;
            }
            if self.read(buffer, |bytes| early.extend_from_slice(bytes))? == 0 {
                let early = String::from_utf8_lossy(&early);
                return Err(io::Error::other(format!("the server ends a handshake: {early}")));
            }
        };
        self.early = early;
        Ok(found)
    }

    /// Reads the reply of the handshake. Only what a client missed may follow it:
    /// nothing is published while clients connect.
    fn read_reply(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        const END: &[u8] = b"\r\n\r\n";
        let end = self.read_early(buffer, |early| find(early, END))? + END.len();
        let missed = self.early.split_off(end);
        let reply = std::mem::replace(&mut self.early, missed);
        // The answer to the key below, from the standard (RFC 6455, section 1.3).
        let accepted = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        if reply.starts_with(b"HTTP/1.1 101 ") && find(&reply, accepted).is_some() {
            return Ok(());
        }
        Err(io::Error::other(format!("no upgrade: {}", String::from_utf8_lossy(&reply))))
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

/// Connects clients to one server.
#[derive(Debug)]
pub(super) struct Connector {
    port: u16,
    /// Absent without TLS.
    tls: Option<Arc<ClientConfig>>,
    pub(super) dialect: Dialect,
}

impl Connector {
    pub(super) fn to(server: &Server) -> io::Result<Connector> {
        let tls = if server.speaks_tls() { Some(tls::config()?) } else { None };
        Ok(Connector { port: server.port(), tls, dialect: server.dialect() })
    }

    /// Connects all these clients at once, from a position if they come back.
    pub(super) fn connect(
        &self,
        clients: &[Newcomer],
        position: Option<&str>,
    ) -> io::Result<Vec<Connection>> {
        let mut buffer = [0; ANSWER_BYTES];
        let mut opened = Vec::with_capacity(clients.len());
        for _ in clients {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(HANDSHAKE_TIMEOUT))?;
            // Ten thousand connections in TIME_WAIT would disturb the next
            // round.
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            let session = self.tls.as_ref().map(Session::new).transpose()?.map(Box::new);
            let mut connection = Connection { stream, session, early: Vec::new(), key: None };
            connection.start_tls()?;
            opened.push(connection);
        }
        for (connection, client) in opened.iter_mut().zip(clients) {
            connection.finish_tls(&mut buffer)?;
            let target = match position {
                _ if self.dialect == Dialect::SocketIo => socket_io::TARGET.to_owned(),
                Some(query) => format!("/{}?{query}", client.path),
                None => format!("/{}", client.path),
            };
            let offer = match self.dialect {
                Dialect::PodeV1 => "Sec-WebSocket-Protocol: pode.v1\r\n",
                Dialect::Plain | Dialect::SocketIo => "",
            };
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{offer}\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                self.port
            );
            connection.write(request.as_bytes())?;
        }
        for connection in &mut opened {
            connection.read_reply(&mut buffer)?;
        }
        if self.dialect == Dialect::SocketIo {
            for (connection, client) in opened.iter_mut().zip(clients) {
                connection.read_early(&mut buffer, |early| find(early, socket_io::OPENED))?;
                connection.write(&socket_io::connect(client.key.as_deref(), position)?)?;
            }
            for connection in &mut opened {
                let key = |early: &[u8]| socket_io::key(early).map(str::to_owned);
                connection.key = Some(connection.read_early(&mut buffer, key)?);
            }
        }
        Ok(opened)
    }
}
