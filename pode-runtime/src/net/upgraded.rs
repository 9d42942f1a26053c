//! A connection that has left HTTP.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::net::connection_limit::ConnectionPermit;
use crate::net::tls::config::TlsStream;
#[cfg(all(feature = "tls", target_os = "linux"))]
use crate::net::tls::config::tcp_stream;

/// A connection that speaks another protocol than HTTP from now on.
pub(crate) struct UpgradedConnection {
    pub(crate) stream: Stream,
    /// Bytes that were read from it but not parsed.
    pub(crate) read: Bytes,
    /// Bytes that are to be written to it first.
    pub(crate) owed: Bytes,
    /// Counts the connection until dropped.
    pub(crate) permit: Option<ConnectionPermit>,
}

impl UpgradedConnection {
    /// Has the system end a TCP connection whose client acknowledges nothing for this long,
    /// where it can: of one that is never answered, nothing else shows that. Never, if zero.
    pub(crate) fn end_unless_taken_in(&self, time: Duration) {
        #[cfg(target_os = "linux")]
        if !time.is_zero() {
            let stream = match &self.stream {
                Stream::Tcp(stream) => stream,
                #[cfg(feature = "tls")]
                Stream::Tls(stream) => tcp_stream(stream),
                _ => return,
            };
            if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(time)) {
                tracing::debug!(%error, "cannot limit how long a client may be silent");
            }
        }
    }
}

impl fmt::Debug for UpgradedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradedConnection").finish_non_exhaustive()
    }
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
