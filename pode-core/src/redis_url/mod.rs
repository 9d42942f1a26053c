//! The URLs of Redis and Valkey servers.

mod error;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use self::error::Kind;
pub use self::error::RedisUrlError;
use crate::origin::Authority;

/// Where a Redis is, and who asks it: `rediss://shop:secret@redis.example:6380/2`.
///
/// It has a scheme, `redis` or `valkey`, `rediss` or `valkeys` for TLS; a user and a
/// password if there are any; a host, a port unless it is 6379; the number of a
/// database unless it is 0. What is in the way there is percent-encoded. A Redis at a
/// Unix socket has the scheme `unix`, `redis+unix` or `valkey+unix`, a path, and
/// `db`, `user` and `pass` in its query.
///
/// A Redis that Sentinels watch over has the scheme `redis+sentinel`, or
/// `rediss+sentinel` with TLS to all of them, the hosts of the Sentinels with a port
/// unless it is 26379, and the name of the primary before the number of the database:
/// `redis+sentinel://shop:secret@one.example,two.example:26380/mymaster/2`. User and
/// password are those of Redis; those of the Sentinels, if there are any, are
/// `sentinel_username` and `sentinel_password` in the query.
///
/// ```
/// # use pode_core::{RedisServer, RedisUrl};
///
/// let url: RedisUrl = "rediss://shop:p%40ss@Redis.example/2".parse().unwrap();
/// let server = RedisServer::Host { host: "redis.example".into(), port: 6379, secure: true };
/// assert_eq!(url.server(), &server);
/// assert_eq!((url.user(), url.password(), url.database()), (Some("shop"), Some("p@ss"), 2));
/// // Neither the log nor an error shows who asks.
/// assert_eq!(url.to_string(), "rediss://redis.example:6379/2");
/// assert!("http://redis.example".parse::<RedisUrl>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    server: RedisServer,
    user: Option<String>,
    password: Option<String>,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
    database: u32,
}

/// Where a Redis listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisServer {
    /// At a port.
    Host {
        /// In lower case; an IPv6 address has no brackets.
        host: String,
        /// 6379 unless one is named.
        port: u16,
        /// Whether the connection uses TLS.
        secure: bool,
    },
    /// At a Unix socket with this path, which is absolute.
    Socket(String),
    /// Where Sentinels say.
    Sentinels {
        /// Their hosts and ports, in the forms of [`Host`](Self::Host); 26379 unless one
        /// is named.
        sentinels: Vec<(String, u16)>,
        /// The name by which they know the primary: letters of a to z, digits, `.`, `-`
        /// and `_`.
        primary: String,
        /// Whether connections to them and to Redis use TLS.
        secure: bool,
    },
}

impl RedisServer {
    /// Tells whether connections to it use TLS.
    pub fn is_secure(&self) -> bool {
        matches!(
            self,
            RedisServer::Host { secure: true, .. } | RedisServer::Sentinels { secure: true, .. }
        )
    }
}

impl RedisUrl {
    /// Returns where the Redis listens.
    pub fn server(&self) -> &RedisServer {
        &self.server
    }

    /// Returns the user, if one is named; there is a password then.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns the password, if there is one.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Returns the user of the Sentinels, if one is named; there is a password then.
    pub fn sentinel_user(&self) -> Option<&str> {
        self.sentinel_user.as_deref()
    }

    /// Returns the password of the Sentinels, if there is one.
    pub fn sentinel_password(&self) -> Option<&str> {
        self.sentinel_password.as_deref()
    }

    /// Returns the number of the database.
    pub fn database(&self) -> u32 {
        self.database
    }

    fn of_host(rest: &str, secure: bool) -> Result<RedisUrl, Kind> {
        let (login, hosts, behind) = split(rest)?;
        if hosts.contains(',') {
            return Err(Kind::Several);
        }
        let (host, port) = host_and_port(hosts, 6379)?;
        if behind.contains(['?', '#']) {
            return Err(Kind::Behind);
        }
        let server = RedisServer::Host { host, port, secure };
        RedisUrl::new(server, login, behind.strip_prefix('/').unwrap_or_default())
    }

    fn of_sentinels(rest: &str, secure: bool) -> Result<RedisUrl, Kind> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') && !query.starts_with("sentinel_") {
            return Err(Kind::NotEncoded);
        }
        let (login, hosts, behind) = split(rest)?;
        let sentinels = hosts.split(',').map(|host| host_and_port(host, 26379));
        let sentinels = sentinels.collect::<Result<_, _>>()?;
        let path = behind.strip_prefix('/').unwrap_or_default();
        let (primary, database) = path.split_once('/').unwrap_or((path, ""));
        // As Sentinel itself has it.
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if primary.is_empty() || !primary.bytes().all(is_part) {
            return Err(Kind::Primary);
        }
        let [user, password] = read_query(query, ["sentinel_username", "sentinel_password"])
            .ok_or(Kind::SentinelQuery)?;
        let server = RedisServer::Sentinels { sentinels, primary: primary.to_owned(), secure };
        let (sentinel_user, sentinel_password) = decoded_login((user, password))?;
        let url = RedisUrl::new(server, login, database)?;
        Ok(RedisUrl { sentinel_user, sentinel_password, ..url })
    }

    fn of_socket(rest: &str) -> Result<RedisUrl, Kind> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !path.starts_with('/') || path.ends_with('/') {
            return Err(Kind::NoPath);
        }
        let [user, password, database] =
            read_query(query, ["user", "pass", "db"]).ok_or(Kind::Query)?;
        RedisUrl::new(RedisServer::Socket(decoded(path)?), (user, password), database)
    }

    /// Makes it of parts that are percent-encoded, and empty if they are missing.
    fn new(server: RedisServer, login: (&str, &str), database: &str) -> Result<RedisUrl, Kind> {
        let (user, password) = decoded_login(login)?;
        let database = match database {
            "" => 0,
            // The number parser would accept a sign.
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| Kind::Database)?
            }
            _ => return Err(Kind::Database),
        };
        let (sentinel_user, sentinel_password) = (None, None);
        Ok(RedisUrl { server, user, password, sentinel_user, sentinel_password, database })
    }
}

/// Splits what stands behind a scheme: user and password, hosts, and the rest.
fn split(rest: &str) -> Result<((&str, &str), &str, &str), Kind> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (before, behind) = rest.split_at(end);
    if behind.contains('@') {
        return Err(Kind::NotEncoded);
    }
    let (user, hosts) = before.rsplit_once('@').unwrap_or(("", before));
    Ok((user.split_once(':').unwrap_or((user, "")), hosts, behind))
}

fn host_and_port(written: &str, default: u16) -> Result<(String, u16), Kind> {
    if written.is_empty() || written.starts_with(':') {
        return Err(Kind::NoHost);
    }
    let authority: Authority = written.parse().map_err(|()| Kind::Authority)?;
    match authority.port().unwrap_or(default) {
        0 => Err(Kind::Authority),
        port => Ok((authority.host().to_owned(), port)),
    }
}

/// Returns the values of a query, empty if they are missing; `None` if it has others.
fn read_query<'url, const N: usize>(query: &'url str, names: [&str; N]) -> Option<[&'url str; N]> {
    let mut values = [""; N];
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        values[names.iter().position(|it| *it == name)?] = value;
    }
    Some(values)
}

fn decoded_login((user, password): (&str, &str)) -> Result<(Option<String>, Option<String>), Kind> {
    if password.is_empty() && !user.is_empty() {
        return Err(Kind::NoPassword);
    }
    let part = |part: &str| (!part.is_empty()).then(|| decoded(part)).transpose();
    Ok((part(user)?, part(password)?))
}

fn decoded(part: &str) -> Result<String, Kind> {
    let decoded = percent_decode_str(part).decode_utf8().map_err(|_| Kind::NoText)?;
    Ok(decoded.into_owned())
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(written: &str) -> Result<RedisUrl, RedisUrlError> {
        let (scheme, rest) = written.split_once("://").unwrap_or(("", written));
        let url = match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => RedisUrl::of_host(rest, false),
            "rediss" | "valkeys" => RedisUrl::of_host(rest, true),
            "redis+sentinel" | "valkey+sentinel" => RedisUrl::of_sentinels(rest, false),
            "rediss+sentinel" | "valkeys+sentinel" => RedisUrl::of_sentinels(rest, true),
            "unix" | "redis+unix" | "valkey+unix" => RedisUrl::of_socket(rest),
            _ => Err(Kind::Scheme),
        };
        url.map_err(|kind| RedisUrlError { written: written.to_owned(), kind })
    }
}

/// As the log shows it: without user and password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.database;
        match &self.server {
            RedisServer::Host { host, port, secure } => {
                let scheme = if *secure { "rediss" } else { "redis" };
                write!(f, "{scheme}://{}", HostAndPort(host, *port))?;
                if database > 0 { write!(f, "/{database}") } else { Ok(()) }
            }
            RedisServer::Socket(path) if database > 0 => write!(f, "unix://{path}?db={database}"),
            RedisServer::Socket(path) => write!(f, "unix://{path}"),
            RedisServer::Sentinels { sentinels, primary, secure } => {
                let scheme = if *secure { "rediss" } else { "redis" };
                let hosts = sentinels.iter().map(|(host, port)| HostAndPort(host, *port));
                let hosts: Vec<_> = hosts.map(|it| it.to_string()).collect();
                write!(f, "{scheme}+sentinel://{}/{primary}", hosts.join(","))?;
                if database > 0 { write!(f, "/{database}") } else { Ok(()) }
            }
        }
    }
}

/// As they stand in a URL.
#[derive(Debug)]
pub struct HostAndPort<'host>(pub &'host str, pub u16);

impl fmt::Display for HostAndPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostAndPort(host, port) = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisUrl").field(&format_args!("{self}")).finish()
    }
}
