//! The options of each noun, as fields.

use std::time::Duration;

use crate::app::client_ids::ClientIds;
use crate::base::limits::Limits;
use crate::http::content_security_policy::OWN_SCRIPTS;
use crate::net::tls::certificate::{Certificate, ClientAuthorities};
use crate::server::restart::HandOver;

/// Options of a server: `pub server name { send_timeout: 2s };`
///
/// Durations, here and in the options of all else, may be of any length. More
/// than ten years are ten years, so [`Duration::MAX`] is for ever; zero is no
/// time at all, unless it is said to mean something else.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// How long a `send` waits for room in a full channel before it gives up;
    /// 5 seconds by default. With zero it needs room at once; to an upstream,
    /// whose connection takes it later, nothing can be sent then.
    pub send_timeout: Duration,

    /// How long stopping may take: requests in flight are let finish, and
    /// clients are told, until then. 10 seconds by default; with zero, all are cut
    /// off.
    pub stop_timeout: Duration,

    /// How the ids of clients are given out: as they are by default, or
    /// `signed_by(secret)`, whose signature nobody else can make;
    /// `signed_by(secret).strict()` binds each to its client's address and user
    /// agent. The word needs no `use` in the option's value.
    pub client_ids: ClientIds,

    /// The Content-Security-Policy of views and public files, in which
    /// `{scripts}` stands for the scripts that a page was written with; empty
    /// for none. A reply has its own by
    /// [`with_header`](crate::web::reply::Reply::with_header).
    ///
    /// By default a page runs its own scripts, those that its template or file
    /// names, and no others; what it loads and asks for besides is its business.
    /// No plugin runs, and only this server's own pages may hold it in a frame:
    ///
    /// ```text
    /// script-src 'self' {scripts}; object-src 'none'; base-uri 'self'; frame-ancestors 'self'
    /// ```
    ///
    /// Attributes such as `onclick` are no scripts that can be told from those
    /// of a stranger, so they don't run; a page that has some doesn't compile
    /// unless this option is declared.
    pub content_security_policy: &'static str,

    /// Where this process is found by the one that is to take its place: the
    /// path of a Unix socket, relative to the working directory; none by
    /// default. Only its own user may use it. Written as a text or a path:
    /// `{ hand_over: "run/shop.sock" }`.
    ///
    /// A process that starts takes the sockets of the one that it finds there,
    /// which then takes leave of its clients and ends: no connection is refused,
    /// and clients that come back miss nothing. Unix only.
    pub hand_over: HandOver,

    /// Over which time clients are told to come back (close code 1012) when
    /// another process has taken over, so that they don't come all at once; 10
    /// seconds by default, zero for all at once. Each is told at a moment of its
    /// own.
    pub drain: Duration,

    /// What clients may ask for, and how long they may take:
    /// `{ limits: Limits { max_connections: 10_000, head_timeout: 5s } }`.
    pub limits: Limits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            send_timeout: Duration::from_secs(5),
            stop_timeout: Duration::from_secs(10),
            client_ids: ClientIds::default(),
            content_security_policy: OWN_SCRIPTS,
            hand_over: HandOver::default(),
            drain: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}

/// Options of an endpoint:
/// `endpoint wss "*:8443" { certificate: pfx("file.pfx", password_from_env("NAME")) };`
///
/// In the option's value the words of [`certificate`](crate::net::tls::certificate) need
/// no `use`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EndpointOptions {
    /// What an `https` or `wss` endpoint shows to clients; plain ones have
    /// none. If both share an address, one of them names it for both. Several
    /// stand in brackets: each client is shown the one for the name it asks
    /// for, as in `{ certificate: [pem("a.pem", "a.key"), pem("b.pem", "b.key")] }`.
    pub certificate: Certificate,

    /// Whether clients of an `https` or `wss` endpoint show a certificate, too,
    /// and who signs it: `required("clients.pem")` or `optional("clients.pem")`;
    /// by default none is asked for. If both share an address, one of them
    /// names it for both.
    pub client_certificate: ClientAuthorities,

    /// What clients may ask for here, and how long they may take; the server's
    /// by default. Of the [`Limits`] that are named, those of bodies are of no
    /// use to `ws` and `wss`, and `tls_timeout` is of none without TLS.
    pub limits: Limits,
}
