//! Limits: what one client may ask of a server, and how long it may take.

use std::time::Duration;

/// Defines the limits, with their defaults, and what a declaration names of them.
macro_rules! limits {
    (
        $(#[$about:meta])*
        pub struct Limits {
            $($(#[$doc:meta])* pub $limit:ident: $ty:ty = $default:expr,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub struct Limits {
            $($(#[$doc])* pub $limit: $ty,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($limit: $default),* }
            }
        }

        /// The [`Limits`] that a declaration names; the others are inherited
        /// from the enclosing declaration.
        #[derive(Clone, Copy, Debug, Default)]
        #[non_exhaustive]
        pub struct DeclaredLimits {
            $($(#[$doc])* pub $limit: Option<$ty>,)*
        }

        impl DeclaredLimits {
            /// Returns these limits, with those that aren't named here taken
            /// from the enclosing declaration.
            pub(crate) fn within(self, around: Limits) -> Limits {
                Limits { $($limit: self.$limit.unwrap_or(around.$limit)),* }
            }
        }

        /// Names all of them.
        impl From<Limits> for DeclaredLimits {
            fn from(all: Limits) -> DeclaredLimits {
                DeclaredLimits { $($limit: Some(all.$limit)),* }
            }
        }
    };
}

limits! {
    /// What a client may ask of a server, and how long it may take.
    ///
    /// Declared as an option of a server, an endpoint or a route:
    ///
    /// ```text
    /// pub server shop { limits: Limits { max_connections: 10_000 } };
    /// endpoint http 8090 { limits: Limits { head_timeout: 5s } };
    /// route POST "/photos" (multipart: Multipart) { limits: Limits { max_upload_bytes: 1 << 30 } } => photo;
    /// ```
    ///
    /// `Limits` needs no `use` there, and durations may be written as intervals. A
    /// limit that isn't named is inherited from the enclosing declaration: a route
    /// has its endpoint's, an endpoint its server's, a server the defaults below.
    /// Any other expression of this type sets all of them:
    ///
    /// ```
    /// # use pode_runtime as pode;
    /// fn narrow() -> pode::Limits {
    ///     let mut limits = pode::Limits::default();
    ///     limits.max_body_bytes = 4096;
    ///     limits
    /// }
    /// ```
    ///
    /// A route has the limits of bodies: `max_body_bytes`, `max_upload_bytes`,
    /// `body_timeout` and `min_bytes_per_second`. All others belong to a
    /// connection, whose request isn't known yet. Endpoints that share an address
    /// share their connections, and so the limits that one of them names.
    ///
    /// Durations may be of any length, as in [all
    /// options](crate::server::options::ServerOptions). With zero, a client that
    /// would have to be waited for is given up at once.
    ///
    /// [`SignalOptions`](crate::signal::options::SignalOptions) says what the
    /// clients of signals may do once they are connected.
    pub struct Limits {
        /// How many connections there may be at once, WebSockets included. By
        /// default, as many as the system lets the process open, less a reserve for
        /// files and other sockets: a sixteenth, at least 32 and at most 1,024.
        /// There are never more than that.
        ///
        /// Further connections wait in the system's queue until one ends. The log
        /// says when this begins and when there is capacity again; for a server
        /// that keeps reaching its limit, at most once a minute. A server's limit
        /// counts the connections of all its endpoints; an endpoint that names a
        /// limit counts its own in addition. At least 1.
        pub max_connections: usize = usize::MAX,

        /// How many of them may come from one address; of IPv6, a /64 network
        /// counts as one. Unlimited by default, since thousands of people may
        /// share the one address of their mobile network or their company, and
        /// behind a proxy all clients do.
        ///
        /// Further connections get a 503 and are closed; behind TLS they are closed
        /// without it. At least 1. For the clients of one signal, the signal's
        /// option `max_clients_per_address` limits how many may come from an
        /// address.
        pub max_connections_per_address: usize = usize::MAX,

        /// How long a TLS handshake may take; 10 seconds by default. Then the
        /// connection is closed.
        pub tls_timeout: Duration = Duration::from_secs(10),

        /// How long the head of a request may take, from the start of the
        /// connection or from the head's first byte to its last; 10 seconds by
        /// default. Then the connection is closed. A WebSocket handshake is such a
        /// head.
        pub head_timeout: Duration = Duration::from_secs(10),

        /// How long a head may be, its first line included, in bytes; 32 KiB by
        /// default. A longer head, or one with more than 100 headers, is answered
        /// with 431.
        pub max_head_bytes: usize = 32 << 10,

        /// How long a connection may be idle between requests, after the first; 75
        /// seconds by default. Then it is closed.
        ///
        /// Behind a proxy it must be longer than the proxy keeps its connections
        /// for further requests, which is 60 seconds for many. Otherwise a request
        /// may meet a connection that is just being closed, and fails.
        pub keep_alive_timeout: Duration = Duration::from_secs(75),

        /// How long a body may be that a handler takes whole, in bytes; 1 MiB by
        /// default. A longer one is answered with 413: at once if its length is
        /// announced, otherwise at the first excess byte.
        pub max_body_bytes: usize = 1 << 20,

        /// How long a multipart body may be, in bytes; 64 MiB by default. It isn't
        /// held in memory unless its handler does so. A longer one is answered with
        /// 413, and so is one with more than 1,000 parts, more than 32 headers or
        /// 8 KiB of them in one part, or more than 8 KiB outside of all parts.
        pub max_upload_bytes: usize = 64 << 20,

        /// How long a request's body may fall behind `min_bytes_per_second`; 30
        /// seconds by default. Then the request is answered with 408.
        ///
        /// A large body thus gets the time that it needs, and a body that trickles
        /// in doesn't. Time in which a handler does something else doesn't count.
        pub body_timeout: Duration = Duration::from_secs(30),

        /// How long the client may fall behind `min_bytes_per_second` when it reads
        /// a response; 30 seconds by default. Then the connection is closed.
        ///
        /// Time in which the server has nothing to send doesn't count. The system
        /// tells that a client has read on only when a third of its send buffer is
        /// free, so one that reads a few kilobytes a second may be cut off, too.
        ///
        /// By HTTP/2 each response of a connection has this time, at least a
        /// second, whatever else the client asks for; then its stream is reset. If
        /// only the last 16 KiB of it are left, which can't be taken back, the
        /// connection is closed instead. On a slow link responses wait for each
        /// other: while the connection as a whole keeps `min_bytes_per_second`, `n`
        /// responses that wait use up their time `2 * n` times slower.
        pub write_timeout: Duration = Duration::from_secs(30),

        /// The throughput of bodies and responses below which they use up
        /// `body_timeout` and `write_timeout`; 1,024 bytes per second by default.
        /// With 0, these timeouts are for the whole body or response. By HTTP/2
        /// it is that of each response, not of their connection.
        pub min_bytes_per_second: usize = 1024,
    }
}

/// The largest bodies of requests, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) max_body_bytes: usize,
    #[cfg_attr(
        not(feature = "multipart"),
        expect(dead_code, reason = "only forms in parts need it")
    )]
    pub(crate) max_upload_bytes: usize,
}

impl Limits {
    pub(crate) fn of_bodies(&self) -> BodyLimits {
        let Limits { max_body_bytes, max_upload_bytes, .. } = *self;
        BodyLimits { max_body_bytes, max_upload_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_wins_over_what_is_around() {
        let named = |max_body_bytes| DeclaredLimits {
            max_body_bytes: Some(max_body_bytes),
            ..DeclaredLimits::default()
        };
        let server = DeclaredLimits { max_head_bytes: Some(2), ..named(1) };
        let endpoint = named(3).within(server.within(Limits::default()));
        assert_eq!((endpoint.max_body_bytes, endpoint.max_head_bytes), (3, 2));
        assert_eq!(endpoint.max_upload_bytes, Limits::default().max_upload_bytes);
        // Even where the named value is the default.
        assert_eq!(named(1 << 20).within(endpoint).max_body_bytes, 1 << 20);
        assert_eq!(DeclaredLimits::default().within(endpoint).max_body_bytes, 3);
    }

    #[test]
    fn an_idle_connection_outlives_the_pools_of_proxies() {
        assert!(Limits::default().keep_alive_timeout > Duration::from_secs(60));
    }

    #[test]
    fn a_whole_value_sets_everything() {
        let server = Limits { max_head_bytes: 2, ..Limits::default() };
        let whole = DeclaredLimits::from(Limits { max_body_bytes: 3, ..Limits::default() });
        let limits = whole.within(server);
        assert_eq!((limits.max_body_bytes, limits.max_head_bytes), (3, 32 << 10));
    }
}
