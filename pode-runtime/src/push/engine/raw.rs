//! Takes connections out of tokio's hands.

use std::io;
use std::net::TcpStream;

use bytes::Bytes;
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade as auto;
use socket2::SockRef;
use tokio_rustls::server::TlsStream;

use super::portable::unwatched;
use super::socket::{Connection, Socket};
use super::tls::TlsSocket;
use crate::http::timeout_stream::Transport;
use crate::net::connection_limit::Place;

/// How much may wait in the system for a client, in bytes: enough to keep a
/// fast connection busy, little to hold for one that doesn't read.
const UNSENT_BYTES: u32 = 32 << 10;

/// Takes what a server upgraded; leaves it in tokio's hands if it is no TCP
/// stream, nor TLS over one.
///
/// # Errors
///
/// The client has left.
pub(super) fn connect(upgraded: Upgraded) -> io::Result<Connection> {
    let upgraded = match downcast(upgraded) {
        Ok((stream, read, place)) => return tcp(stream, read, place),
        Err(upgraded) => upgraded,
    };
    match downcast(upgraded) {
        Ok((stream, read, place)) => tls(stream, read, place),
        Err(upgraded) => Ok(Connection::portable(TokioIo::new(upgraded))),
    }
}

pub(super) fn tcp(
    stream: tokio::net::TcpStream,
    read: Bytes,
    place: Option<Place>,
) -> io::Result<Connection> {
    Ok(Connection { socket: Socket::Tcp { stream: detach(stream)?, _place: place }, read })
}

pub(super) fn tls(
    stream: TlsStream<tokio::net::TcpStream>,
    read: Bytes,
    place: Option<Place>,
) -> io::Result<Connection> {
    let (stream, session) = stream.into_inner();
    let socket = TlsSocket::new(detach(stream)?, session, place);
    Ok(Connection { socket: Socket::Tls(Box::new(socket)), read })
}

/// Finds out what a server upgraded: ours, or one that detects the version of
/// HTTP, as those do into which a server may be embedded.
fn downcast<S: Transport>(upgraded: Upgraded) -> Result<(S, Bytes, Option<Place>), Upgraded> {
    let upgraded = match unwatched(upgraded) {
        Ok(ours) => return Ok(ours),
        Err(upgraded) => upgraded,
    };
    let (io, read) = match upgraded.downcast::<TokioIo<S>>() {
        Ok(Parts { io, read_buf, .. }) => (io, read_buf),
        Err(upgraded) => {
            let parts = auto::downcast::<TokioIo<S>>(upgraded)?;
            (parts.io, parts.read_buf)
        }
    };
    // Even an empty one may hold on to the memory of what was read before.
    let read = if read.is_empty() { Bytes::new() } else { read };
    Ok((io.into_inner(), read, None))
}

fn detach(stream: tokio::net::TcpStream) -> io::Result<TcpStream> {
    let stream = stream.into_std()?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok(stream)
}
