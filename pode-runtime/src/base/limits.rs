//! Limits: what one client may ask of a server, and how long it may take.

use std::time::Duration;

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
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
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
    pub max_connections: usize,

    /// How many of them may come from one address; of IPv6, a /64 network
    /// counts as one. Unlimited by default, since
    /// thousands of people may share the one address of their mobile network or
    /// their company, and behind a proxy all clients do.
    ///
    /// Further connections get a 503 and are closed; behind TLS they are closed
    /// without it. At least 1. For the clients of one signal, the signal's
    /// option `max_clients_per_address` limits how many may come from an
    /// address.
    pub max_connections_per_address: usize,

    /// How long a TLS handshake may take; 10 seconds by default. Then the
    /// connection is closed.
    pub tls_timeout: Duration,

    /// How long the head of a request may take, from the start of the
    /// connection or from the head's first byte to its last; 10 seconds by
    /// default. Then the connection is closed. A WebSocket handshake is such a
    /// head.
    pub head_timeout: Duration,

    /// How long a head may be, its first line included, in bytes; 32 KiB by
    /// default. A longer head, or one with more than 100 headers, is answered
    /// with 431.
    pub max_head_bytes: usize,

    /// How long a connection may be idle between requests, after the first; 30
    /// seconds by default. Then it is closed.
    pub keep_alive_timeout: Duration,

    /// How long a body may be that a handler takes whole, in bytes; 1 MiB by
    /// default. A longer one is answered with 413: at once if its length is
    /// announced, otherwise at the first excess byte.
    pub max_body_bytes: usize,

    /// How long a multipart body may be, in bytes; 64 MiB by default. It isn't
    /// held in memory unless its handler does so. A longer one is answered with
    /// 413.
    pub max_upload_bytes: usize,

    /// How long a request's body may fall behind `min_bytes_per_second`; 30
    /// seconds by default. Then the request is answered with 408.
    ///
    /// A large body thus gets the time that it needs, and a body that trickles
    /// in doesn't. Time in which a handler does something else doesn't count.
    pub body_timeout: Duration,

    /// How long the client may fall behind `min_bytes_per_second` when it reads
    /// a response; 30 seconds by default. Then the connection is closed.
    ///
    /// Time in which the server has nothing to send doesn't count.
    pub write_timeout: Duration,

    /// The throughput of bodies and responses below which they use up
    /// `body_timeout` and `write_timeout`; 1,024 bytes per second by default.
    /// With 0, these timeouts are for the whole body or response.
    pub min_bytes_per_second: usize,

    /// Which of the limits are declared here; the others are inherited from the
    /// enclosing declaration.
    own: Own,
}

#[derive(Clone, Copy, Debug, Default)]
enum Own {
    #[default]
    Nothing,
    Fields(&'static [&'static str]),
    Everything,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_connections: usize::MAX,
            max_connections_per_address: usize::MAX,
            tls_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            max_head_bytes: 32 << 10,
            keep_alive_timeout: Duration::from_secs(30),
            max_body_bytes: 1 << 20,
            max_upload_bytes: 64 << 20,
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            min_bytes_per_second: 1024,
            own: Own::Nothing,
        }
    }
}

impl Limits {
    /// Sets which fields a declaration names; only expansions call it.
    #[doc(hidden)]
    pub fn names(&mut self, fields: &'static [&'static str]) {
        self.own = Own::Fields(fields);
    }

    /// Notes that a declaration sets all fields; only expansions call it.
    #[doc(hidden)]
    pub fn names_all(&mut self) {
        self.own = Own::Everything;
    }

    /// Returns whether a field is declared here.
    fn has_own(&self, field: &str) -> bool {
        match self.own {
            Own::Nothing => false,
            Own::Fields(fields) => fields.contains(&field),
            Own::Everything => true,
        }
    }

    pub(crate) fn durations(&mut self) -> [&mut Duration; 5] {
        let Limits {
            max_connections: _,
            max_connections_per_address: _,
            tls_timeout,
            head_timeout,
            max_head_bytes: _,
            keep_alive_timeout,
            max_body_bytes: _,
            max_upload_bytes: _,
            body_timeout,
            write_timeout,
            min_bytes_per_second: _,
            own: _,
        } = self;
        [tls_timeout, head_timeout, keep_alive_timeout, body_timeout, write_timeout]
    }

    /// Returns these limits, with those that aren't declared here taken from
    /// the enclosing declaration.
    pub(crate) fn within(self, around: &Limits) -> Limits {
        let mut limits = self;
        macro_rules! inherit {
            ($($field:ident)*) => {
                // The pattern makes sure that none is forgotten.
                let Limits { own: _, $($field),* } = *around;
                $(if !self.has_own(stringify!($field)) {
                    limits.$field = $field;
                })*
            };
        }
        inherit! {
            max_connections max_connections_per_address tls_timeout head_timeout max_head_bytes
            keep_alive_timeout max_body_bytes max_upload_bytes body_timeout write_timeout
            min_bytes_per_second
        }
        limits
    }
}

/// How long bodies may be, in bytes; see [`Limits`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) max_body_bytes: usize,
    pub(crate) max_upload_bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(fields: &'static [&'static str], change: impl FnOnce(&mut Limits)) -> Limits {
        let mut limits = Limits::default();
        change(&mut limits);
        limits.names(fields);
        limits
    }

    #[test]
    fn what_is_named_wins_over_what_is_around() {
        let server = named(&["max_body_bytes", "max_head_bytes"], |limits| {
            limits.max_body_bytes = 1;
            limits.max_head_bytes = 2;
        });
        let endpoint = named(&["max_body_bytes"], |limits| limits.max_body_bytes = 3);
        let endpoint = endpoint.within(&server.within(&Limits::default()));
        assert_eq!((endpoint.max_body_bytes, endpoint.max_head_bytes), (3, 2));
        assert_eq!(endpoint.max_upload_bytes, Limits::default().max_upload_bytes);
        // Even where the named value is the default.
        let route = named(&["max_body_bytes"], |limits| limits.max_body_bytes = 1 << 20);
        assert_eq!(route.within(&endpoint).max_body_bytes, 1 << 20);
        assert_eq!(Limits::default().within(&endpoint).max_body_bytes, 3);
    }

    #[test]
    fn a_whole_value_sets_everything() {
        let server = named(&["max_head_bytes"], |limits| limits.max_head_bytes = 2);
        let mut whole = Limits { max_body_bytes: 3, ..Limits::default() };
        whole.names_all();
        let limits = whole.within(&server);
        assert_eq!((limits.max_body_bytes, limits.max_head_bytes), (3, 32 << 10));
    }
}
