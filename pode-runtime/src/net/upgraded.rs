//! A connection from which HTTP has withdrawn.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::net::connection_limit::ConnectionPermit;

/// A connection that speaks something else than HTTP from now on.
pub(crate) struct UpgradedConnection {
    pub(crate) stream: Stream,
    /// What was read of it and not looked at.
    pub(crate) read: Bytes,
    /// Counts it until it is dropped.
    pub(crate) permit: Option<ConnectionPermit>,
}

/// What it is made of.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Somebody else's, in whose server this one is embedded.
    Other(Box<dyn AnyStream>),
}

/// Any stream that tokio can poll.
pub(crate) trait AnyStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> AnyStream for S {}
