//! From a URL to a connection.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisConnectionInfo, cmd};
use pode_core::redis_url::HostAndPort;
use pode_core::{RedisServer, RedisUrl};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::connection::Connection;
use super::{failed, field};
use crate::backplane::carrier::CarrierError;
use crate::base::error::with_causes;
use crate::net::roots::Roots;
use crate::net::tls::client::TlsClient;
use crate::net::upgraded::AnyStream;

/// How long a connection may take, and an answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long a Sentinel may take to say where the primary is, before the next is asked.
const SENTINEL_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a Redis is, and who asks.
pub(super) struct Address {
    url: RedisUrl,
    /// The Sentinel that is asked first: the one that was right last.
    first_sentinel: AtomicUsize,
    tls: Option<TlsClient>,
}

impl Address {
    /// `folder` is the crate's, while developing.
    pub(super) fn new(
        url: RedisUrl,
        roots: &Roots,
        folder: Option<&Path>,
    ) -> Result<Address, CarrierError> {
        let unusable = |error| CarrierError { reason: with_causes(&error), is_final: true };
        let tls = match url.server().is_secure() {
            true => {
                let tls = TlsClient::new(roots, format_args!("the backplane"), folder);
                Some(tls.map_err(unusable)?)
            }
            false => None,
        };
        Ok(Address { url, first_sentinel: AtomicUsize::new(0), tls })
    }

    /// Connects to a primary, and says who asks. Returns what it says of itself, too.
    pub(super) async fn connect(&self) -> Result<(Connection, String), CarrierError> {
        match self.url.server() {
            RedisServer::Host { host, port, .. } => self.primary(self.tcp(host, *port)).await,
            RedisServer::Socket(path) => self.primary(unix(path)).await,
            RedisServer::Sentinels { sentinels, primary, .. } => {
                self.of_sentinels(sentinels, primary).await
            }
        }
    }

    /// Asks one Sentinel after the other, until one names a primary that is one. After a
    /// failure, some of them know it later than others.
    async fn of_sentinels(
        &self,
        sentinels: &[(String, u16)],
        primary: &str,
    ) -> Result<(Connection, String), CarrierError> {
        let (mut reasons, mut tried) = (Vec::new(), Vec::new());
        let first = self.first_sentinel.load(Ordering::Relaxed);
        for index in (0..sentinels.len()).map(|turn| (first + turn) % sentinels.len()) {
            let (host, port) = &sentinels[index];
            let asked = timeout(SENTINEL_TIMEOUT, self.ask(host, *port, primary)).await;
            let named = match asked.unwrap_or_else(|_| Err(no_answer())) {
                Ok(named) => named,
                Err(CarrierError { reason, .. }) => {
                    let sentinel = HostAndPort(host, *port);
                    reasons.push(format!("the Sentinel at {sentinel}: {reason}"));
                    continue;
                }
            };
            if tried.contains(&named) {
                continue;
            }
            match self.primary(self.tcp(&named.0, named.1)).await {
                Ok(connected) => {
                    self.first_sentinel.store(index, Ordering::Relaxed);
                    return Ok(connected);
                }
                Err(CarrierError { reason, .. }) => {
                    reasons
                        .push(format!("the Redis at {}: {reason}", HostAndPort(&named.0, named.1)));
                }
            }
            tried.push(named);
        }
        Err(failed(reasons.join("; ")))
    }

    /// Returns where a Sentinel says that the primary is.
    async fn ask(
        &self,
        host: &str,
        port: u16,
        primary: &str,
    ) -> Result<(String, u16), CarrierError> {
        let login = (self.url.sentinel_user(), self.url.sentinel_password());
        let mut connection = log_in(self.tcp(host, port), login, 0).await?;
        let mut ask = cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(primary);
        let named: Option<(String, u16)> =
            connection.ask(&ask).await.map_err(|error| {
                match error.detail().is_some_and(|detail| detail.starts_with("unknown command")) {
                    true => failed("it is no Sentinel".to_owned()),
                    false => error.into(),
                }
            })?;
        named.ok_or_else(|| failed(format!("it knows no primary `{primary}`")))
    }

    /// Connects to a Redis that is no replica.
    async fn primary(
        &self,
        connecting: impl Future<Output = Result<Box<dyn AnyStream>, CarrierError>>,
    ) -> Result<(Connection, String), CarrierError> {
        let login = (self.url.user(), self.url.password());
        let mut connection = log_in(connecting, login, self.url.database()).await?;
        let info: String = connection.ask(&cmd("INFO")).await?;
        if field(&info, "redis_mode") == Some("sentinel") {
            let reason = "it is a Sentinel, whose URL is like \
                          `redis+sentinel://one.example:26379,two.example:26379/mymaster`";
            return Err(CarrierError { reason: reason.to_owned(), is_final: true });
        }
        match field(&info, "role") {
            Some("master") | None => Ok((connection, info)),
            Some(_) => Err(failed("it is a replica, and the primary is needed".to_owned())),
        }
    }

    async fn tcp(&self, host: &str, port: u16) -> Result<Box<dyn AnyStream>, CarrierError> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => {
                let connected = tls.connect(host, stream).await;
                Ok(Box::new(connected.map_err(|error| failed(with_causes(&error)))?))
            }
            None => Ok(Box::new(stream)),
        }
    }
}

#[cfg(unix)]
async fn unix(path: &str) -> Result<Box<dyn AnyStream>, CarrierError> {
    Ok(Box::new(UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn unix(_: &str) -> Result<Box<dyn AnyStream>, CarrierError> {
    Err(io::Error::from(io::ErrorKind::Unsupported).into())
}

/// Connects, and says who asks: a user and a password, if there are any.
async fn log_in(
    connecting: impl Future<Output = Result<Box<dyn AnyStream>, CarrierError>>,
    (user, password): (Option<&str>, Option<&str>),
    database: u32,
) -> Result<Connection, CarrierError> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut).into();
    let stream = timeout(TIMEOUT, connecting).await.map_err(late).flatten()?;
    let mut info = RedisConnectionInfo::default().set_db(database.into());
    if let Some(password) = password {
        info = info.set_password(password);
    }
    if let Some(user) = user {
        info = info.set_username(user);
    }
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
    let connecting = MultiplexedConnection::new_with_config(&info, stream, config);
    let (commands, driver) = timeout(TIMEOUT, connecting).await.map_err(|_| no_answer())??;
    Ok(Connection::new(commands, driver))
}

fn no_answer() -> CarrierError {
    failed("it doesn't answer".to_owned())
}
