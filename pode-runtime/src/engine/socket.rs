//! The connection of a client, without waiting: what can't be done at once
//! fails with `WouldBlock`, and the client is told of when it can.

use std::io::{self, IoSlice, Read, Write};
#[cfg(target_os = "linux")]
use std::net::{Shutdown, TcpStream};

use bytes::Bytes;
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(target_os = "linux")]
use tokio_rustls::server::TlsStream;

use super::portable::PortableSocket;
#[cfg(target_os = "linux")]
use super::tls::TlsSocket;

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
    Tcp(TcpStream),
    #[cfg(target_os = "linux")]
    Tls(Box<TlsSocket>),
    Portable(Box<PortableSocket>),
}

/// How much may wait in the system for a client, in bytes: enough to keep a
/// fast connection busy, little to hold for one that doesn't read.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 32 << 10;

impl Connection {
    /// Takes any stream that tokio can poll.
    pub(super) fn portable(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let socket = Socket::Portable(Box::new(PortableSocket::new(stream)));
        Connection { socket, read: Bytes::new() }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn tcp(stream: tokio::net::TcpStream, read: Bytes) -> io::Result<Connection> {
        Ok(Connection { socket: Socket::Tcp(detach(stream)?), read })
    }

    #[cfg(target_os = "linux")]
    pub(super) fn tls(
        stream: TlsStream<tokio::net::TcpStream>,
        read: Bytes,
    ) -> io::Result<Connection> {
        let (stream, session) = stream.into_inner();
        let socket = TlsSocket::new(detach(stream)?, session);
        Ok(Connection { socket: Socket::Tls(Box::new(socket)), read })
    }

    /// Takes the stream that a server upgraded, out of tokio's hands if it can.
    #[cfg(target_os = "linux")]
    pub(super) fn raw(upgraded: Upgraded) -> io::Result<Connection> {
        let upgraded = match downcast::<tokio::net::TcpStream>(upgraded) {
            Ok((stream, read)) => return Connection::tcp(stream, read),
            Err(upgraded) => upgraded,
        };
        match downcast::<TlsStream<tokio::net::TcpStream>>(upgraded) {
            Ok((stream, read)) => Connection::tls(stream, read),
            Err(upgraded) => Ok(Connection::portable(TokioIo::new(upgraded))),
        }
    }
}

/// Finds what a stream is that a server upgraded: our own, or one that detects
/// HTTP's version, as those do into which a server may be embedded.
#[cfg(target_os = "linux")]
fn downcast<S>(upgraded: Upgraded) -> Result<(S, Bytes), Upgraded>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (io, read) = match upgraded.downcast::<TokioIo<S>>() {
        Ok(Parts { io, read_buf, .. }) => (io, read_buf),
        Err(upgraded) => {
            let parts = hyper_util::server::conn::auto::upgrade::downcast::<TokioIo<S>>(upgraded)?;
            (parts.io, parts.read_buf)
        }
    };
    // Even an empty one may hold on to the memory of what was read before.
    let read = if read.is_empty() { Bytes::new() } else { read };
    Ok((io.into_inner(), read))
}

/// Takes a stream out of tokio's hands.
#[cfg(target_os = "linux")]
fn detach(stream: tokio::net::TcpStream) -> io::Result<TcpStream> {
    let stream = stream.into_std()?;
    stream.set_nodelay(true)?;
    socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok(stream)
}

impl Socket {
    /// Reads some bytes; 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp(stream) => stream.read(buffer),
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.read(buffer),
            Socket::Portable(socket) => socket.read(buffer),
        })
    }

    /// Writes some bytes, at least one.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = uninterrupted(|| match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp(stream) => match slices {
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
            Socket::Tcp(_) => Ok(()),
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.flush(),
            Socket::Portable(socket) => socket.flush(),
        })
    }

    /// Tells whether nothing that was written is held back.
    pub(super) fn is_flushed(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp(_) => true,
            #[cfg(target_os = "linux")]
            Socket::Tls(socket) => socket.is_flushed(),
            Socket::Portable(socket) => socket.is_flushed(),
        }
    }

    /// Ends the writing side, after all that was written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
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
            Socket::Tcp(stream) => Some(stream),
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
