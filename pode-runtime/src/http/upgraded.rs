//! The parts of an HTTP connection after an upgrade.

use bytes::Bytes;
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade as auto;
use tokio::net::TcpStream;

use crate::http::timeout_stream::{TimeoutStream, Transport};
use crate::net::connection_limit::ConnectionPermit;
use crate::net::tls::config::TlsStream;
use crate::net::upgraded::{Stream, UpgradedConnection};

/// Takes the connection from hyper. The time limits of HTTP no longer apply to
/// its client.
pub(crate) fn detach(upgraded: Upgraded) -> UpgradedConnection {
    let upgraded = match downcast::<TcpStream>(upgraded) {
        Ok((stream, read, permit)) => {
            let (stream, owed) = (Stream::Tcp(stream), Bytes::new());
            return UpgradedConnection { stream, read, owed, permit };
        }
        Err(upgraded) => upgraded,
    };
    let (stream, read, permit) = match downcast::<TlsStream>(upgraded) {
        Ok((stream, read, permit)) => (Stream::Tls(Box::new(stream)), read, permit),
        Err(upgraded) => (Stream::Other(Box::new(TokioIo::new(upgraded))), Bytes::new(), None),
    };
    UpgradedConnection { stream, read, owed: Bytes::new(), permit }
}

/// Checks whether the stream is of this type, either of our own server, or of a
/// server that embeds this one and may detect the version of HTTP.
fn downcast<S: Transport>(
    upgraded: Upgraded,
) -> Result<(S, Bytes, Option<ConnectionPermit>), Upgraded> {
    let upgraded = match upgraded.downcast::<TokioIo<TimeoutStream<S>>>() {
        Ok(Parts { io, read_buf, .. }) => {
            let (stream, permit) = io.into_inner().into_parts();
            let stream = stream.expect("whoever leaves for an event stream isn't upgraded");
            return Ok((stream, released(read_buf), permit));
        }
        Err(upgraded) => upgraded,
    };
    let (io, read) = match upgraded.downcast::<TokioIo<S>>() {
        Ok(Parts { io, read_buf, .. }) => (io, read_buf),
        Err(upgraded) => {
            let parts = auto::downcast::<TokioIo<S>>(upgraded)?;
            (parts.io, parts.read_buf)
        }
    };
    Ok((io.into_inner(), released(read), None))
}

/// Even an empty buffer may hold on to the memory of earlier reads.
fn released(read: Bytes) -> Bytes {
    if read.is_empty() { Bytes::new() } else { read }
}
