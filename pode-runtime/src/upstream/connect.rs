//! From a URL to a WebSocket: name, TCP, TLS and handshake, within one timeout.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use pode_core::UpstreamUrl;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::handshake::{HandshakeError, Socket, shake_hands};
use crate::base::error::StartError;
use crate::net::tls::client::{TlsClient, TlsError};
use crate::net::upgraded::AnyStream;
use crate::upstream::UpstreamOptions;

/// How many bytes are read at once.
const READ_BUFFER_BYTES: usize = 16 << 10;

/// Additional bytes for control frames beside a message: a pong and a close,
/// with their headers, are shorter.
const CONTROL_BYTES: usize = 1 << 10;

/// The address of an upstream, and all that is needed to connect to it.
pub(crate) struct Destination {
    url: UpstreamUrl,
    tls: Option<TlsClient>,
    timeout: Duration,
    config: WebSocketConfig,
}

/// Why connecting failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no address of `{host}` can be found")]
    Lookup { host: String, source: io::Error },

    #[error("nothing can be reached at {address}")]
    Unreachable { address: SocketAddr, source: io::Error },

    #[error(transparent)]
    Tls(#[from] TlsError),

    #[error(transparent)]
    Handshake(#[from] HandshakeError),

    #[error("there was no connection within {timeout:?}")]
    TimedOut { timeout: Duration },
}

impl Destination {
    /// Prepares to connect to an upstream. `folder` is the crate's, while
    /// developing.
    ///
    /// # Errors
    ///
    /// The URL, computed by an expression, is invalid; or the roots can't be
    /// used.
    pub(super) fn new(
        upstream: &'static str,
        url: &str,
        options: &UpstreamOptions,
        folder: Option<&Path>,
    ) -> Result<Destination, StartError> {
        let url: UpstreamUrl =
            url.parse().map_err(|reason| StartError::UpstreamUrl { upstream, reason })?;
        let tls = match url.is_secure() {
            true => {
                let whose = format_args!("upstream `{upstream}`");
                let tls = TlsClient::new(&options.roots, whose, folder);
                Some(tls.map_err(|error| error.of_upstream(upstream))?)
            }
            false => None,
        };
        let most = options.max_message_bytes;
        // Each message is written before the next, so the buffer holds one.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(most.saturating_add(CONTROL_BYTES))
            .max_message_size(Some(most))
            .max_frame_size(Some(most));
        Ok(Destination { url, tls, timeout: options.connect_timeout, config })
    }

    /// Returns the URL, without parts that may be secret.
    pub(super) fn url(&self) -> impl std::fmt::Display + use<'_> {
        &self.url
    }

    /// Tries to connect once.
    pub(super) async fn connect(&self) -> Result<Socket, ConnectError> {
        let attempt = timeout(self.timeout, self.open()).await;
        attempt.unwrap_or(Err(ConnectError::TimedOut { timeout: self.timeout }))
    }

    async fn open(&self) -> Result<Socket, ConnectError> {
        let stream = self.reach().await?;
        // Each write is a whole message, which should not wait for more data.
        // If the system refuses the option, it does wait.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn AnyStream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.connect(self.url.host(), stream).await?),
        };
        Ok(shake_hands(self.url.as_str(), stream, self.config).await?)
    }

    /// Connects to the first address of the host that answers.
    async fn reach(&self) -> Result<TcpStream, ConnectError> {
        let (host, port) = (self.url.host(), self.url.port());
        let unknown = |source| ConnectError::Lookup { host: host.to_owned(), source };
        let addresses: Vec<SocketAddr> =
            lookup_host((host, port)).await.map_err(unknown)?.collect();
        // An address that swallows everything leaves time for the others, and
        // for the handshakes.
        let share = self.timeout / (addresses.len() as u32).saturating_add(1);
        let mut error = unknown(io::ErrorKind::NotFound.into());
        for address in addresses {
            let connected = timeout(share, TcpStream::connect(address)).await;
            match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => return Ok(stream),
                Err(source) => error = ConnectError::Unreachable { address, source },
            }
        }
        Err(error)
    }
}
