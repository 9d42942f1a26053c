//! The URLs of Redis and Valkey servers.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

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

/// Why a text is not the URL of a Redis.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the URL `{}` {kind}", self.shown())]
pub struct RedisUrlError {
    written: String,
    kind: Kind,
}

/// How Sentinels are named.
const SENTINELS: &str = "redis+sentinel://one.example:26379,two.example:26379/mymaster";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scheme,
    NoHost,
    Several,
    Primary,
    Authority,
    NotEncoded,
    NoText,
    NoPassword,
    Database,
    Behind,
    NoPath,
    Query,
    SentinelQuery,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Scheme => "is no Redis'",
            Kind::NoHost => "has no host",
            Kind::Several => "has several hosts",
            Kind::Primary => "doesn't name the primary behind its Sentinels",
            Kind::Authority => "has no host and port that can be connected to",
            Kind::NotEncoded => "has a `/`, `?` or `#` before its `@`",
            Kind::NoText => "has percent-encoded bytes that are no text",
            Kind::NoPassword => "names a user without a password",
            Kind::Database => "ends with something else than the number of a database",
            Kind::Behind => "has a `?` or a `#`, behind which nothing is read",
            Kind::NoPath => "has no absolute path of a socket",
            Kind::Query => "has something else than `db`, `user` and `pass` behind its `?`",
            Kind::SentinelQuery => {
                "has something else than `sentinel_username` and `sentinel_password` behind its `?`"
            }
        })
    }
}

impl RedisUrlError {
    /// Returns what to write instead.
    pub fn help(&self) -> String {
        let rest = self.rest();
        match self.kind {
            Kind::Scheme
                if format!("redis://{}", self.written_rest()).parse::<RedisUrl>().is_ok() =>
            {
                format!("write `redis://{rest}`, or `rediss://{rest}` with TLS")
            }
            Kind::Scheme if self.written.contains("sentinel://") => {
                format!("write it like `{SENTINELS}`")
            }
            Kind::Several => {
                format!("write the one of the primary, or name Sentinels, as in `{SENTINELS}`")
            }
            Kind::Primary => {
                format!("write the name by which they know it, as in `{SENTINELS}`")
            }
            Kind::SentinelQuery => {
                format!("write it like `{SENTINELS}?sentinel_password=PASSWORD`")
            }
            Kind::Scheme | Kind::NoHost => {
                "write it like `redis://localhost:6379`, or with TLS `rediss://redis.example:6379`"
                    .into()
            }
            Kind::Authority => {
                "write a name like `redis.example`, or an IP address, and a port up to 65535".into()
            }
            Kind::NotEncoded => {
                "write such a character of a password percent-encoded: `%2F`, `%3F` or `%23`".into()
            }
            Kind::NoText => "write text in UTF-8; a `%` itself is `%25`".into(),
            Kind::NoPassword => {
                "write `user:password@` before the host, or `:password@` without a user".into()
            }
            Kind::Database => "write it like `redis://localhost:6379/2`, or leave it out".into(),
            Kind::Behind => {
                "remove it and what follows; in a password, `?` is `%3F` and `#` is `%23`".into()
            }
            Kind::NoPath => "write it like `unix:///run/redis.sock`, with three slashes".into(),
            Kind::Query => "write it like `unix:///run/redis.sock?db=2`".into(),
        }
    }

    fn written_rest(&self) -> &str {
        self.written.split_once("://").map_or(&*self.written, |(_, rest)| rest)
    }

    /// Returns what may be shown of what stands behind the scheme: neither a user nor a
    /// password nor a query.
    fn rest(&self) -> String {
        let rest = self.written_rest();
        match rest.rsplit_once('@') {
            // It isn't known where a password ends.
            Some((before, _)) if before.contains(['/', '?', '#']) => "…".to_owned(),
            Some((_, host)) => format!("…@{}", host.split('?').next().unwrap_or_default()),
            None => rest.split('?').next().unwrap_or_default().to_owned(),
        }
    }

    fn shown(&self) -> String {
        let scheme = self.written.find("://").map_or("", |end| &self.written[..end + "://".len()]);
        format!("{scheme}{}", self.rest())
    }
}

impl fmt::Debug for RedisUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisUrlError").field(&format_args!("{self}")).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, shown: &str) {
        let url: RedisUrl = written.parse().unwrap();
        assert_eq!(url.to_string(), shown);
        // It means the same without user and password.
        let again: RedisUrl = shown.parse().unwrap();
        assert_eq!((again.server(), again.database()), (url.server(), url.database()));
    }

    #[track_caller]
    fn check_user(written: &str, user: Option<&str>, password: Option<&str>) {
        let url: RedisUrl = written.parse().unwrap();
        assert_eq!((url.user(), url.password()), (user, password));
    }

    #[track_caller]
    fn check_mistake(written: &str, expected: &str) {
        let error = written.parse::<RedisUrl>().unwrap_err();
        assert_eq!(format!("{error}; {}", error.help()), expected);
    }

    #[test]
    fn urls_are_scheme_host_port_and_database() {
        check("redis://localhost", "redis://localhost:6379");
        check("REDIS://Redis.example:6380/", "redis://redis.example:6380");
        check("valkey://[::0:1]/15", "redis://[::1]:6379/15");
        check("rediss://10.0.0.5:1", "rediss://10.0.0.5:1");
        check("valkeys://redis.example:65535/0", "rediss://redis.example:65535");
    }

    #[test]
    fn sockets_have_a_path_and_a_query() {
        check("unix:///run/redis.sock", "unix:///run/redis.sock");
        check("redis+unix:///run/redis.sock?db=2&", "unix:///run/redis.sock?db=2");
        check("valkey+unix:///run/a%20b?user=a&pass=b", "unix:///run/a b");
    }

    #[test]
    fn sentinels_have_several_hosts_and_the_name_of_the_primary() {
        let shown = "redis+sentinel://one.example:26379,[::1]:26380/my-master.1_a";
        check("valkey+sentinel://One.example,[::0:1]:26380/my-master.1_a/0", shown);
        check("redis+sentinel://a/b/2?", "redis+sentinel://a:26379/b/2");
        check("rediss+sentinel://:c@a:1/b", "rediss+sentinel://a:1/b");
        let written = "valkeys+sentinel://shop:red@a,b/m?sentinel_username=s&sentinel_password=%40";
        let url: RedisUrl = written.parse().unwrap();
        assert_eq!((url.user(), url.password()), (Some("shop"), Some("red")));
        assert_eq!((url.sentinel_user(), url.sentinel_password()), (Some("s"), Some("@")));
        check_user("redis+sentinel://a/m?sentinel_password=b", None, None);
    }

    #[test]
    fn users_and_passwords_are_decoded() {
        check_user("redis://localhost", None, None);
        check_user("redis://:@localhost", None, None);
        check_user("redis://:secret@localhost", None, Some("secret"));
        check_user("redis://shop:se:cr@et@localhost", Some("shop"), Some("se:cr@et"));
        check_user("rediss://sh%3Aop:%2F%C3%BC@localhost", Some("sh:op"), Some("/ü"));
        check_user("unix:///a?pass=a%26b&user=shop", Some("shop"), Some("a&b"));
    }

    #[test]
    fn mistakes_are_named_with_what_to_write() {
        let help = "write `redis://localhost:6379`, or `rediss://localhost:6379` with TLS";
        check_mistake("localhost:6379", &format!("the URL `localhost:6379` is no Redis'; {help}"));
        let written = "http://localhost:6379";
        check_mistake(written, &format!("the URL `{written}` is no Redis'; {help}"));
        let help = "write it like `redis://localhost:6379`, or with TLS \
                    `rediss://redis.example:6379`";
        check_mistake("", &format!("the URL `` is no Redis'; {help}"));
        check_mistake("redis:/a", &format!("the URL `redis:/a` is no Redis'; {help}"));
        check_mistake("redis://", &format!("the URL `redis://` has no host; {help}"));
        check_mistake("rediss://:1/2", &format!("the URL `rediss://:1/2` has no host; {help}"));
        let help = "write such a character of a password percent-encoded: `%2F`, `%3F` or `%23`";
        let wrong = "has a `/`, `?` or `#` before its `@`";
        check_mistake("redis://:se/cret@a", &format!("the URL `redis://…` {wrong}; {help}"));
        let help = "write `user:password@` before the host, or `:password@` without a user";
        let wrong = "names a user without a password";
        check_mistake("redis://shop@a", &format!("the URL `redis://…@a` {wrong}; {help}"));
        let help = "write it like `unix:///run/redis.sock`, with three slashes";
        let wrong = "has no absolute path of a socket";
        check_mistake("unix://run/a", &format!("the URL `unix://run/a` {wrong}; {help}"));
        let like = "redis+sentinel://one.example:26379,two.example:26379/mymaster";
        let help = format!("write it like `{like}`");
        let written = "redis-sentinel://a,b/0?sentinelMasterId=c";
        let shown = "redis-sentinel://a,b/0";
        check_mistake(written, &format!("the URL `{shown}` is no Redis'; {help}"));
        let help = format!("write the name by which they know it, as in `{like}`");
        let wrong = "doesn't name the primary behind its Sentinels";
        let written = "redis+sentinel://a,b";
        check_mistake(written, &format!("the URL `{written}` {wrong}; {help}"));
        let help = format!("write the one of the primary, or name Sentinels, as in `{like}`");
        check_mistake("redis://a,b", &format!("the URL `redis://a,b` has several hosts; {help}"));
        let help = format!("write it like `{like}?sentinel_password=PASSWORD`");
        let wrong = "has something else than `sentinel_username` and `sentinel_password` behind \
                     its `?`";
        let written = "redis+sentinel://a/m?db=1";
        let shown = "redis+sentinel://a/m";
        check_mistake(written, &format!("the URL `{shown}` {wrong}; {help}"));

        for (written, kind) in [
            ("redis://a:0", Kind::Authority),
            ("redis://a:65536", Kind::Authority),
            ("redis://a:b", Kind::Authority),
            ("redis://a b", Kind::Authority),
            ("redis://:%FF@a", Kind::NoText),
            ("redis://user:@a", Kind::NoPassword),
            ("unix:///a?user=b", Kind::NoPassword),
            ("redis://a/b", Kind::Database),
            ("redis://a/+1", Kind::Database),
            ("redis://a/1/2", Kind::Database),
            ("redis://a/4294967296", Kind::Database),
            ("redis://a?db=1", Kind::Behind),
            ("redis://a/1#b", Kind::Behind),
            ("redis+unix://", Kind::NoPath),
            ("unix:///run/", Kind::NoPath),
            ("unix:///a?database=1", Kind::Query),
            ("unix:///a?db", Kind::Query),
            ("sentinel://a", Kind::Scheme),
            ("redis+sentinel://", Kind::NoHost),
            ("redis+sentinel://a,,b/m", Kind::NoHost),
            ("redis+sentinel://a,:1/m", Kind::NoHost),
            ("redis+sentinel://a,b:0/m", Kind::Authority),
            ("redis+sentinel://a//0", Kind::Primary),
            ("redis+sentinel://a/m%20m", Kind::Primary),
            ("redis+sentinel://a/m#", Kind::Primary),
            ("redis+sentinel://a/m/b", Kind::Database),
            ("redis+sentinel://b@a/m", Kind::NoPassword),
            ("redis+sentinel://a/m?sentinel_username=b", Kind::NoPassword),
            ("redis+sentinel://a/m?sentinel_password=%FF", Kind::NoText),
            ("redis+sentinel://:b/c@a/m", Kind::NotEncoded),
            ("redis+sentinel://:b?c@a/m", Kind::NotEncoded),
        ] {
            assert_eq!(written.parse::<RedisUrl>().unwrap_err().kind, kind, "{written}");
        }
    }

    #[test]
    fn who_asks_is_not_shown() {
        for written in [
            "rediss://secret:secret@a",
            "unix:///a?user=secret&pass=secret",
            "http://secret:secret@a",
            "secret:secret@a",
            "redis://secret@a",
            "redis://:secret/secret@a:0",
            "redis://:secret?secret@a",
            "redis://:secret@a?secret",
            "redis://:secret@a:0",
            "unix:///a?pass=b@secret",
            "redis+sentinel://secret:secret@a/m?sentinel_username=b&sentinel_password=secret",
            "redis+sentinel://a/m?sentinel_password=b@secret",
            "redis+sentinel://a/m?sentinel_pass=b@secret",
            "redis+sentinel://:secret?secret@a/m",
            "unix:///a?secret",
        ] {
            let said = match written.parse::<RedisUrl>() {
                Ok(url) => format!("{url} {url:?}"),
                Err(error) => format!("{error} {error:?} {}", error.help()),
            };
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
