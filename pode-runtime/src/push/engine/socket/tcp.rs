//! Takes connections out of tokio.

use std::io;
use std::net::TcpStream;

use bytes::Bytes;
use socket2::SockRef;

#[cfg(feature = "tls")]
use super::tls::TlsSocket;
use super::{Connection, Socket};
use crate::net::connection_limit::ConnectionPermit;
#[cfg(feature = "tls")]
use crate::net::tls::config::TlsStream;
use crate::net::upgraded::{Stream, UpgradedConnection};

/// How many unsent bytes the system buffers for a client: enough to keep a fast
/// connection busy, little to hold for a client that doesn't read.
const UNSENT_BYTES: u32 = 32 << 10;

/// Takes a connection out of tokio; leaves it there if it is neither a TCP
/// stream nor TLS over one.
///
/// # Errors
///
/// The client has disconnected.
pub(crate) fn hold(connection: UpgradedConnection) -> io::Result<Connection> {
    let UpgradedConnection { stream, read, owed, permit } = connection;
    let connection = match stream {
        Stream::Tcp(stream) => tcp(stream, read, permit)?,
        #[cfg(feature = "tls")]
        Stream::Tls(stream) => tls(*stream, read, permit)?,
        #[cfg(not(feature = "tls"))]
        Stream::Tls(never) => match *never {},
        Stream::Other(stream) => Connection::portable_at(stream, read, permit),
    };
    Ok(Connection { owed, ..connection })
}

pub(crate) fn tcp(
    stream: tokio::net::TcpStream,
    read: Bytes,
    permit: Option<ConnectionPermit>,
) -> io::Result<Connection> {
    let socket = Socket::Tcp { stream: detach(stream)?, _permit: permit };
    Ok(Connection { socket, read, owed: Bytes::new() })
}

#[cfg(feature = "tls")]
pub(crate) fn tls(
    stream: TlsStream,
    read: Bytes,
    permit: Option<ConnectionPermit>,
) -> io::Result<Connection> {
    let (stream, session) = stream.into_parts();
    let socket = TlsSocket::new(detach(stream)?, session, permit);
    Ok(Connection { socket: Socket::Tls(Box::new(socket)), read, owed: Bytes::new() })
}

fn detach(stream: tokio::net::TcpStream) -> io::Result<TcpStream> {
    let stream = stream.into_std()?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok(stream)
}
