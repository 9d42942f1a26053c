//! Why a text is not the URL of a Redis, and what to write instead.

use std::fmt;

use super::RedisUrl;

/// Why a text is not the URL of a Redis.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the URL `{}` {kind}", self.shown())]
pub struct RedisUrlError {
    pub(super) written: String,
    pub(super) kind: Kind,
}

/// How Sentinels are named.
const SENTINELS: &str = "redis+sentinel://one.example:26379,two.example:26379/mymaster";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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
            Kind::Scheme => "is not that of a Redis",
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
            Kind::Database if self.written.contains("+sentinel://") => {
                format!("write it like `{SENTINELS}/2`, or leave it out")
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
