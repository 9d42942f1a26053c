//! A connection that has left HTTP.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::net::connection_limit::ConnectionPermit;
use crate::net::tls::config::TlsStream;

/// A connection that speaks another protocol than HTTP from now on.
pub(crate) struct UpgradedConnection {
    pub(crate) stream: Stream,
    /// Bytes that were read from it but not parsed.
    pub(crate) read: Bytes,
    /// Counts the connection until dropped.
    pub(crate) permit: Option<ConnectionPermit>,
}

/// The underlying stream.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    /// The stream of another server, in which this one is embedded.
    Other(Box<dyn AnyStream>),
}

/// Any stream that tokio can poll.
pub(crate) trait AnyStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> AnyStream for S {}
