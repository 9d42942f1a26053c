//! From a URL to a connection.

use std::io;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisConnectionInfo};
use pode_core::{RedisServer, RedisUrl};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::backplane::carrier::CarrierError;
use crate::net::upgraded::AnyStream;

/// How long a connection may take, and an answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Where a Redis is, and who asks.
pub(super) struct Address {
    url: RedisUrl,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsConnector>,
}

impl Address {
    pub(super) fn new(url: RedisUrl) -> Result<Address, CarrierError> {
        let is_secure = matches!(url.server(), RedisServer::Host { secure: true, .. });
        #[cfg(feature = "tls")]
        let tls = if is_secure { Some(connector()?) } else { None };
        #[cfg(not(feature = "tls"))]
        if is_secure {
            let reason = "`rediss` needs the feature `tls` of pode".to_owned();
            return Err(CarrierError { reason, is_final: true });
        }
        Ok(Address {
            url,
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// Connects, and says who asks.
    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, CarrierError> {
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let stream = timeout(TIMEOUT, self.stream()).await.map_err(late).flatten();
        let stream =
            stream.map_err(|error| CarrierError { reason: error.to_string(), is_final: false })?;
        let mut info = RedisConnectionInfo::default().set_db(self.url.database().into());
        if let Some(password) = self.url.password() {
            info = info.set_password(password);
        }
        if let Some(user) = self.url.user() {
            info = info.set_username(user);
        }
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
        let connecting = MultiplexedConnection::new_with_config(&info, stream, config);
        let (connection, driver) = match timeout(TIMEOUT, connecting).await {
            Ok(connected) => connected?,
            Err(_) => {
                let reason = "it doesn't answer".to_owned();
                return Err(CarrierError { reason, is_final: false });
            }
        };
        // Ends with the connection.
        tokio::spawn(driver);
        Ok(connection)
    }

    async fn stream(&self) -> io::Result<Box<dyn AnyStream>> {
        match self.url.server() {
            RedisServer::Host { host, port, .. } => {
                let stream = TcpStream::connect((&**host, *port)).await?;
                stream.set_nodelay(true)?;
                #[cfg(feature = "tls")]
                if let Some(tls) = &self.tls {
                    let name = rustls::pki_types::ServerName::try_from(host.clone());
                    let name = name.map_err(io::Error::other)?;
                    return Ok(Box::new(tls.connect(name, stream).await?));
                }
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            RedisServer::Socket(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            RedisServer::Socket(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Trusts what the system trusts.
#[cfg(feature = "tls")]
fn connector() -> Result<tokio_rustls::TlsConnector, CarrierError> {
    use rustls::version::{TLS12, TLS13};

    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let reason = "this system trusts no certificates, which TLS needs".to_owned();
        return Err(CarrierError { reason, is_final: true });
    }
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("ring's cipher suites are for both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(std::sync::Arc::new(config).into())
}
