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
/// The word needs no `use` there, and intervals may stand for durations. Limits
/// that aren't named are those of the declaration around: a route has its
/// endpoint's, an endpoint its server's, a server those below. Any other
/// expression of this type sets all of them:
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
/// A route has those of bodies: `max_body_bytes`, `max_upload_bytes`,
/// `body_timeout` and `min_bytes_per_second`. All others are those of a
/// connection, whose request isn't known yet. Endpoints that share an address
/// share their connections, and so the limits that one of them names.
///
/// Times may be of any length, as all [durations](crate::server::options::ServerOptions): with
/// zero, whoever has to be waited for is left at once.
///
/// What clients of signals may do once they are connected is said by
/// [`SignalOptions`](crate::signal::options::SignalOptions).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How many connections there may be at once, WebSockets included; by
    /// default, as many as the system lets the process open, less a reserve for
    /// files and other sockets: a sixteenth, at least 32 and at most 1,024.
    /// There are never more than that.
    ///
    /// Those that come then wait in the system's queue until one ends. The log
    /// says so, and when there is room again; a server that is at its limit
    /// again and again says it once a minute. Of a server, it counts the connections of all its
    /// endpoints; an endpoint that names it counts its own, besides. At least 1.
    pub max_connections: usize,

    /// How many of them may come from one address; without limit by default,
    /// since thousands of people may come from the one address of their mobile
    /// network or their company, and behind a proxy everyone does.
    ///
    /// More are told so by a 503, and closed; behind TLS they are closed. At
    /// least 1. How many clients of one signal may come from an address is said
    /// by `max_clients_per_address` there.
    pub max_connections_per_address: usize,

    /// How long a TLS handshake may take; 10 seconds by default. Then the
    /// connection is closed.
    pub tls_timeout: Duration,

    /// How long the head of a request may take, from the start of the connection
    /// or from its first byte to its last; 10 seconds by default. Then the
    /// connection is closed. A WebSocket handshake is such a head.
    pub head_timeout: Duration,

    /// How long a head may be, its first line included, in bytes; 32 KiB by
    /// default. A longer one, or one of more than 100 headers, is answered with
    /// 431.
    pub max_head_bytes: usize,

    /// How long a connection may be without a request, after the first; 30
    /// seconds by default. Then it is closed.
    pub keep_alive_timeout: Duration,

    /// How long a body may be that a handler takes whole, in bytes; 1 MiB by
    /// default. A longer one is answered with 413: at once if its length is
    /// announced, otherwise at the first byte too many.
    pub max_body_bytes: usize,

    /// How long a body in parts may be, in bytes; 64 MiB by default. It isn't
    /// held in memory unless its handler does so. A longer one is answered with
    /// 413.
    pub max_upload_bytes: usize,

    /// How long a request's body may fall behind `min_bytes_per_second`; 30
    /// seconds by default. Then the request is answered with 408.
    ///
    /// So a large body has the time that it needs, and one that trickles hasn't.
    /// The time in which a handler does something else doesn't count.
    pub body_timeout: Duration,

    /// How long an answer may fall behind `min_bytes_per_second` for its reader;
    /// 30 seconds by default. Then the connection is closed.
    ///
    /// The time in which the server has nothing to send doesn't count.
    pub write_timeout: Duration,

    /// The pace of bodies and of answers below which they use up `body_timeout`
    /// and `write_timeout`; 1,024 bytes in a second by default. With 0, these
    /// are the time for all of it.
    pub min_bytes_per_second: usize,

    /// Which of the limits are declared here; the others are those of the
    /// declaration around.
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
    /// Tells which fields a declaration names; only expansions do.
    #[doc(hidden)]
    pub fn names(&mut self, fields: &'static [&'static str]) {
        self.own = Own::Fields(fields);
    }

    /// Tells that a declaration sets all of them; only expansions do.
    #[doc(hidden)]
    pub fn names_all(&mut self) {
        self.own = Own::Everything;
    }

    /// Tells whether a field is declared here.
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

    /// Returns these limits, where what isn't declared here is as it is around.
    pub(crate) fn within(self, around: &Limits) -> Limits {
        let mut limits = self;
        macro_rules! inherit {
            ($($field:ident)*) => {
                // None is forgotten.
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
        // Also where it says what is the default.
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
