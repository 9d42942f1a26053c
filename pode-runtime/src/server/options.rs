//! The options of servers and endpoints.

use std::time::Duration;

use crate::app::client_ids::ClientIds;
use crate::base::limits::DeclaredLimits;
use crate::http::content_security_policy::OWN_SCRIPTS;
use crate::http::hosts::Hosts;
use crate::net::proxies::TrustedProxies;
use crate::net::tls::certificate::{Certificate, ClientAuthorities};
use crate::server::restart::HandOver;

/// Options of a server: `pub server name { send_timeout: 2s };`
///
/// Durations, here and in all other options, may have any length. More than ten
/// years counts as ten years, so [`Duration::MAX`] means no limit. Zero means
/// no time at all, unless an option says otherwise. It is written as
/// [`Duration::ZERO`]: `0s` is refused, as it is hardly ever meant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// How long a `send` waits for capacity in a full channel before it gives
    /// up; 5 seconds by default. With zero it needs capacity at once. Nothing
    /// can be sent to an upstream then, since its connection takes messages
    /// later.
    pub send_timeout: Duration,

    /// How long stopping may take; 10 seconds by default. Within that time,
    /// requests in flight finish, clients get a close frame and the handlers
    /// of `on disconnect` run: a quarter is kept for clients, and an eighth for
    /// the handlers of those that don't answer. With zero, all are cut off.
    pub stop_timeout: Duration,

    /// Whether client ids are signed: plain by default, or
    /// `signed_by(secret_from_env("NAME"))`, whose signature nobody else can
    /// make; `signed_by(…).strict()` also binds each id to its client's address
    /// and user agent. These words need no `use` in the option's value.
    pub client_ids: ClientIds,

    /// How long a signed id proves who sends a request, from when its client
    /// connected; 30 days by default, since few pages stay connected for as
    /// long. Each connection gets a new signature.
    pub client_id_lifetime: Duration,

    /// The Content-Security-Policy of views and public files, in which
    /// `{scripts}` stands for the scripts that a page was written with; empty
    /// for none. A reply sets its own with
    /// [`with_header`](crate::web::reply::Reply::with_header).
    ///
    /// By default a page runs only its own scripts: those that its template or
    /// file names. Other resources that it loads aren't restricted. No plugin
    /// runs, and only this server's own pages may embed it in a frame:
    ///
    /// ```text
    /// script-src 'self' {scripts}; object-src 'none'; base-uri 'self'; frame-ancestors 'self'
    /// ```
    ///
    /// Attributes such as `onclick` can't be distinguished from injected
    /// scripts, so they don't run; a page that has some doesn't compile unless
    /// this option is declared.
    pub content_security_policy: &'static str,

    /// Where the process that is to replace this one finds it: the path of a
    /// Unix socket, relative to the working directory; none by default. Only
    /// the same user may use it. Written as a string or a path:
    /// `{ hand_over: "run/shop.sock" }`.
    ///
    /// A process that starts takes the sockets of the process that it finds
    /// there. The older process then closes its clients and ends. No connection
    /// is refused, and clients that reconnect miss nothing. Unix only.
    pub hand_over: HandOver,

    /// The time over which clients are told to reconnect (close code 1012) when
    /// another process has taken over, so that they don't all reconnect at
    /// once; 10 seconds by default, zero for all at once. Each client gets its
    /// close frame at its own moment.
    pub drain: Duration,

    /// Limits on what clients may request and how long they may take:
    /// `{ limits: Limits { max_connections: 10_000, head_timeout: 5s } }`.
    pub limits: DeclaredLimits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            send_timeout: Duration::from_secs(5),
            stop_timeout: Duration::from_secs(10),
            client_ids: ClientIds::default(),
            client_id_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            content_security_policy: OWN_SCRIPTS,
            hand_over: HandOver::default(),
            drain: Duration::from_secs(10),
            limits: DeclaredLimits::default(),
        }
    }
}

/// Options of an endpoint:
/// `endpoint wss "*:8443" { certificate: pem("chain.pem", "key.pem") };`
///
/// In the option's value the functions of
/// [`certificate`](crate::net::tls::certificate) need no `use`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EndpointOptions {
    /// The TLS certificate of an `https` or `wss` endpoint; plain endpoints
    /// have none. If both share an address, one of them names it for both.
    /// Several certificates go in brackets: each client gets the one for the
    /// name it asks for, as in
    /// `{ certificate: [pem("a.pem", "a.key"), pem("b.pem", "b.key")] }`.
    pub certificate: Certificate,

    /// Whether clients of an `https` or `wss` endpoint present a certificate,
    /// too, and who signs it: `required("clients.pem")` or
    /// `optional("clients.pem")`; by default none is requested. If both share
    /// an address, one of them names it for both.
    pub client_certificate: ClientAuthorities,

    /// The hosts by which the endpoint is reached, as requests name them in
    /// `Host`, without scheme and port: `{ hosts: ["shop.example"] }`, with
    /// `"*.shop.example"` for all names below one. Requests for another host
    /// get 421; a page could read the answers if its own name led here (DNS
    /// rebinding). Without it, any host will do.
    ///
    /// An endpoint at a loopback address, such as `"127.0.0.1:8090"`, is reached
    /// by `localhost`, names below it, loopback addresses, and what is named
    /// here: behind a proxy that passes `Host` on, the host of the site. An
    /// `X-Forwarded-Host` makes no difference, since pages can send one.
    ///
    /// Endpoints that share an address share their hosts. An embedded server
    /// has none.
    pub hosts: Hosts,

    /// The proxies that say for whom they send, as addresses and networks:
    /// `{ trusted_proxies: ["127.0.0.1", "10.0.0.0/8", "fd00::/8"] }`; none by
    /// default. From any other address these headers mean nothing.
    ///
    /// `X-Forwarded-For` is read from its end: the first address that isn't a
    /// trusted proxy's is the client's, for `peer_address()` of events, for signed
    /// ids that are `strict`, and for `max_clients_per_address`. The last value
    /// of `X-Forwarded-Proto` and that of `X-Forwarded-Host` say which pages are
    /// own ones ([`Origins`](crate::Origins)); `hosts` is about `Host` alone. So
    /// the proxy must set these headers, or add to them, not pass them on. For
    /// proxies that set `Forwarded` (RFC 7239), write
    /// `forwarded_by(["10.0.0.0/8"])`, which needs no `use` there; then only that
    /// header is read.
    ///
    /// Connections of trusted proxies don't count for
    /// `max_connections_per_address`, since many clients share them.
    ///
    /// If endpoints share an address, one of them names the proxies for all. An
    /// embedded server has none.
    pub trusted_proxies: TrustedProxies,

    /// Whether each connection begins with a header of the PROXY protocol, version
    /// 1 or 2, by which a proxy that doesn't read HTTP says who the client is:
    /// `{ trusted_proxies: ["10.0.0.1"], proxy_protocol: true }`; no by default.
    ///
    /// The connection then comes from that address, and counts for it
    /// (`max_connections_per_address`); if it is a trusted proxy's, too, its
    /// headers are read as those of any. Where the header names nobody, as in
    /// health checks, it stays the proxy's. A connection without the header, or
    /// without all of it within `head_timeout`, is closed, and so is any that
    /// isn't from a trusted proxy: the protocol forbids to guess.
    ///
    /// Endpoints that share an address share this.
    pub proxy_protocol: bool,

    /// Limits on what clients may request here and how long they may take; the
    /// server's by default. The
    /// [`Limits`](crate::base::limits::Limits) of bodies have no effect on `ws` and
    /// `wss`, and `tls_timeout` has none without TLS.
    pub limits: DeclaredLimits,
}
