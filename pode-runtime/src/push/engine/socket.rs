//! The connection of a client, without waiting: what can't be done at once
//! fails with `WouldBlock`, and the client is told of when it can.

use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::portable::PortableSocket;
#[cfg(target_os = "linux")]
use super::tls::TlsSocket;
use crate::net::connection_limit::Place;
use crate::net::upgraded::{Stream, UpgradedConnection};

/// A connection that is upgraded, with what was read of it already.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) socket: Socket,
    pub(super) read: Bytes,
}

/// As each client has one, it is two words.
#[derive(Debug)]
pub(super) enum Socket {
    #[cfg(target_os = "linux")]
    Tcp {
        stream: TcpStream,
        /// Counts the connection until it is dropped.
        _place: Option<Place>,
    },
    #[cfg(target_os = "linux")]
    Tls(Box<TlsSocket>),
    Portable(Box<PortableSocket>),
}

impl Connection {
    /// Takes any stream that tokio can poll.
    #[cfg(test)]
    pub(super) fn portable(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Connection::portable_at(stream, Bytes::new(), None)
    }

    /// Takes any stream that tokio can poll, of which something was read, and that
    /// counts.
    pub(super) fn portable_at(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        read: Bytes,
        place: Option<Place>,
    ) -> Self {
        let socket = Socket::Portable(Box::new(PortableSocket::new(stream, place)));
        Connection { socket, read }
    }
}

impl From<UpgradedConnection> for Connection {
    /// Leaves it in tokio's hands.
    fn from(UpgradedConnection { stream, read, place }: UpgradedConnection) -> Connection {
        match stream {
            Stream::Tcp(stream) => Connection::portable_at(stream, read, place),
            Stream::Tls(stream) => Connection::portable_at(*stream, read, place),
            Stream::Other(stream) => Connection::portable_at(stream, read, place),
        }
    }
}

impl Socket {
    /// Reads some bytes; 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { stream, .. } => stream.read(buffer),
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.read(buffer),
            Socket::Portable(socket) => socket.read(buffer),
        })
    }

    /// Writes some bytes, at least one.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = uninterrupted(|| match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { stream, .. } => match slices {
                [single] => stream.write(single),
                slices => stream.write_vectored(slices),
            },
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.write(slices),
            Socket::Portable(socket) => socket.write(slices),
        })?;
        if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
    }

    /// Sees that what was written is on its way.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        uninterrupted(|| match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { .. } => Ok(()),
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.flush(),
            Socket::Portable(socket) => socket.flush(),
        })
    }

    /// Tells whether nothing that was written is held back.
    pub(super) fn is_flushed(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { .. } => true,
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.is_flushed(),
            Socket::Portable(socket) => socket.is_flushed(),
        }
    }

    /// Ends the writing side, after all that was written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { stream, .. } => stream.shutdown(Shutdown::Write),
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.finish(),
            Socket::Portable(socket) => socket.finish(),
        }
    }

    /// Has the connection reset when it is dropped.
    pub(super) fn reset(&self) {
        #[cfg(target_os = "linux")]
        if let Some(stream) = self.stream() {
            let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    /// Returns what the shard has to watch by itself.
    #[cfg(target_os = "linux")]
    pub(super) fn stream(&self) -> Option<&TcpStream> {
        match self {
            Socket::Tcp { stream, .. } => Some(stream),
            Socket::Tls(socket) => Some(socket.stream()),
            Socket::Portable(_) => None,
        }
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
