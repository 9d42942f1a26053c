//! The connection of a client, without waiting: what can't be done at once fails
//! with `WouldBlock`, and the shard is woken when it can.
//!
//! `tcp` takes connections out of tokio's hands, `tls` is a TLS session beside such a
//! socket, and `portable` any stream that tokio polls.

mod portable;
#[cfg(target_os = "linux")]
pub(crate) mod tcp;
#[cfg(target_os = "linux")]
#[cfg_attr(not(feature = "tls"), path = "tls_off.rs")]
mod tls;

use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use self::portable::PortableSocket;
#[cfg(target_os = "linux")]
use self::tls::TlsSocket;
use crate::net::connection_limit::ConnectionPermit;
use crate::net::upgraded::{Stream, UpgradedConnection};

/// An upgraded connection, with the bytes that were already read from it, and those that
/// are owed to it first.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    pub(crate) read: Bytes,
    pub(crate) owed: Bytes,
}

/// Each client has one, so it is two words small.
#[derive(Debug)]
pub(crate) enum Socket {
    #[cfg(target_os = "linux")]
    Tcp {
        stream: TcpStream,
        /// Counts the connection until it is dropped.
        _permit: Option<ConnectionPermit>,
    },
    #[cfg(target_os = "linux")]
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "no connection is one then"))]
    Tls(Box<TlsSocket>),
    Portable(Box<PortableSocket>),
}

impl Connection {
    /// Takes any stream that tokio can poll.
    #[cfg(test)]
    pub(crate) fn portable(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Connection::portable_at(stream, Bytes::new(), None)
    }

    /// Takes any stream that tokio can poll, with the bytes already read from
    /// it and its permit.
    pub(crate) fn portable_at(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        read: Bytes,
        permit: Option<ConnectionPermit>,
    ) -> Self {
        let socket = Socket::Portable(Box::new(PortableSocket::new(stream, permit)));
        Connection { socket, read, owed: Bytes::new() }
    }
}

impl From<UpgradedConnection> for Connection {
    /// Leaves the connection in tokio.
    fn from(upgraded: UpgradedConnection) -> Connection {
        let UpgradedConnection { stream, read, owed, permit } = upgraded;
        let connection = match stream {
            Stream::Tcp(stream) => Connection::portable_at(stream, read, permit),
            Stream::Tls(stream) => Connection::portable_at(*stream, read, permit),
            Stream::Other(stream) => Connection::portable_at(stream, read, permit),
        };
        Connection { owed, ..connection }
    }
}

impl Socket {
    /// Reads some bytes; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { stream, .. } => stream.read(buffer),
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.read(buffer),
            Socket::Portable(socket) => socket.read(buffer),
        })
    }

    /// Writes some bytes, at least one.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
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

    /// Flushes buffered data to the system.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        uninterrupted(|| match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { .. } => Ok(()),
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.flush(),
            Socket::Portable(socket) => socket.flush(),
        })
    }

    /// Returns whether no written data is still buffered.
    pub(crate) fn is_flushed(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { .. } => true,
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.is_flushed(),
            Socket::Portable(socket) => socket.is_flushed(),
        }
    }

    /// Shuts down the writing side, after all written data.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp { stream, .. } => stream.shutdown(Shutdown::Write),
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.finish(),
            Socket::Portable(socket) => socket.finish(),
        }
    }

    /// Has the connection reset when it is dropped.
    pub(crate) fn reset(&self) {
        #[cfg(target_os = "linux")]
        if let Some(stream) = self.stream() {
            let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    /// Returns the stream that the shard has to watch by itself.
    #[cfg(target_os = "linux")]
    pub(crate) fn stream(&self) -> Option<&TcpStream> {
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
