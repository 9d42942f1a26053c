//! The options of each noun, as fields.

use std::time::{Duration, SystemTime};

use crate::app::client_ids::ClientIds;
use crate::base::limits::Limits;
use crate::http::content_security_policy::OWN_SCRIPTS;
use crate::http::origin::Origins;
use crate::net::tls::certificate::{Certificate, ClientAuthorities};
use crate::server::restart::HandOver;
use crate::signal::Rebroadcast;
use crate::upstream::Roots;

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

/// Options of a route:
/// `route POST "/notes" (form: Note) { limits: Limits { max_body_bytes: 4096 } } => note;`
///
/// There is one more, `endpoint: NAME` or `endpoint: [A, B]`, which the macro
/// itself understands.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RouteOptions {
    /// How long a body may be, and take; its endpoint's by default. These are
    /// `max_body_bytes`, `max_upload_bytes`, `body_timeout` and
    /// `min_bytes_per_second` of [`Limits`]; the others are settled before the
    /// route is known.
    pub limits: Limits,
}

/// Options of a signal: `signal CHAT: Message = "/" { capacity_messages: 64 };`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignalOptions {
    /// How many messages the channel holds that are sent and not yet on their
    /// way to clients; 128 by default, at least 1 and at most 1,048,576. When it
    /// is full, `send` waits: nothing is lost at any capacity. Each message of
    /// capacity takes some 50 bytes from the start.
    pub capacity_messages: usize,

    /// What becomes of a client that reads more slowly than messages come;
    /// `Disconnect` by default. Its words need no `use` in the option's value:
    /// `{ on_lag: Skip }`.
    pub on_lag: OnLag,

    /// How often a client is asked whether it is still there, in whole
    /// seconds, rounded up; 25 seconds by default, zero for never. One that
    /// gives no sign of life until the next time is dropped: anything that it
    /// sends is a sign, and so is that it takes what waits for it. Browsers
    /// answer by themselves. A message that has begun, but of which fewer than
    /// 128 bytes a second come, is given up then, too (close code 1008).
    pub heartbeat: Duration,

    /// Whose pages may connect; `OwnPages` by default. Its words need no `use`
    /// in the option's value: `{ origins: pages_of(["https://shop.example"]) }`
    /// or `{ origins: AnyPage }`. Other pages are answered with 403.
    pub origins: Origins,

    /// The most bytes of one message from a client; 64 KiB by default. One that
    /// sends a larger one is told by close code 1009.
    pub max_message_bytes: usize,

    /// The most bytes of one frame of a message from a client; without a limit
    /// of its own by default. One that sends a larger one is told by close code
    /// 1009.
    pub max_frame_bytes: usize,

    /// How long a client may say nothing, in whole seconds, rounded up; zero, the
    /// default, is for ever. Only messages count: not that it is still there, which
    /// `heartbeat` asks, nor what is sent to it. One that is silent for longer, by
    /// a quarter at most, is told by close code 1000. Of no use where clients
    /// only listen.
    pub idle_timeout: Duration,

    /// How many messages a client may send in a second, and so many at once; 0,
    /// the default, means without limit: each client is then held up to the pace
    /// of its handler. One that sends more is told so by a message
    /// `{"error":"…"}`, and closed by 1008.
    pub messages_per_second: u32,

    /// How many clients may be connected at once; without limit by default.
    /// Others are answered with 503, and the log says so, at most once a minute.
    pub max_clients: usize,

    /// How many of them may come from one address; without limit by default.
    /// Others are answered with 429.
    pub max_clients_per_address: usize,

    /// To whom clients' messages may go where the signal is declared
    /// `=> rebroadcast`. Its words need no `use` in the option's value:
    /// `{ rebroadcast: Anyone }`.
    pub rebroadcast: Rebroadcast,
}

/// What becomes of a client for which too many messages wait: 1,024, or 1 MiB
/// of them together.
///
/// Whatever is chosen, the client holds up neither senders nor other clients,
/// and what it does get is in the order in which it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLag {
    /// It is cut off with close code 1013. What it has missed, it knows: all
    /// from there on. For whatever must not have gaps.
    #[default]
    Disconnect,

    /// What comes while its queue is full is not sent to it; it goes on with
    /// what comes when there is room again. For feeds in which a gap does no
    /// harm.
    Skip,

    /// What waits is dropped for the newest message, which comes next. For
    /// values of which only the newest counts.
    Latest,
}

impl Default for SignalOptions {
    fn default() -> Self {
        SignalOptions {
            capacity_messages: 128,
            on_lag: OnLag::default(),
            heartbeat: Duration::from_secs(25),
            origins: Origins::default(),
            max_message_bytes: 64 << 10,
            max_frame_bytes: usize::MAX,
            idle_timeout: Duration::ZERO,
            messages_per_second: 0,
            max_clients: usize::MAX,
            max_clients_per_address: usize::MAX,
            rebroadcast: Rebroadcast::default(),
        }
    }
}

/// Options of public files: `public "folder" { cache_age: 1h };`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublicOptions {
    /// For how long browsers may use a file without asking again, in whole
    /// seconds, rounded down; zero by default, so they ask each time, and are told
    /// by 304 if nothing changed.
    pub cache_age: Duration,

    /// Whether browsers save the files instead of showing them; not by default.
    pub download: bool,

    /// The file that answers for its folder, `"index.html"` by default; empty
    /// for none.
    pub index: &'static str,
}

impl Default for PublicOptions {
    fn default() -> Self {
        PublicOptions { cache_age: Duration::ZERO, download: false, index: "index.html" }
    }
}

/// Options of a timer: `timer "sample" every 5s { limit: 3 } => handler;`
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TimerOptions {
    /// How many ticks go by before the first that fires; 0 by default. With
    /// `skip: 2`, a timer of 5 seconds fires after 15, 20, 25.
    pub skip: u32,

    /// How often the timer fires before it ends; 0, the default, means without
    /// end.
    pub limit: u64,

    /// Whether the timer fires at the start of the server, too; it doesn't by
    /// default. That time counts toward `limit`, and `skip` comes after it.
    pub on_start: bool,
}

/// Options of a schedule:
/// `schedule "nightly" cron "0 0 * * *" { limit: 3 } => handler;`
///
/// Moments are written as any expression of their type:
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # let mut options = pode_runtime::ScheduleOptions::default();
/// # fn in_an_hour() -> SystemTime { SystemTime::now() + Duration::from_secs(3600) }
/// options.starts_at = Some(in_an_hour());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ScheduleOptions {
    /// How often the schedule fires before it ends; 0, the default, means
    /// without end.
    pub limit: u64,

    /// Whether the schedule fires at the start of the server, too, whatever the
    /// time and `starts_at`; it doesn't by default. That time counts toward
    /// `limit`.
    pub on_start: bool,

    /// The moment before which it doesn't fire; by default, there is none.
    pub starts_at: Option<SystemTime>,

    /// The moment after which it doesn't fire any more; by default, there is
    /// none.
    pub ends_at: Option<SystemTime>,
}

/// Options of an upstream:
/// `upstream PRICES: Tick = "wss://feed.example/prices" { heartbeat: 10s } => on_tick;`
///
/// There is one more, which is a handler: `on_connect`, an `async fn` or an
/// `async` closure that takes an [`UpstreamEvent`](crate::app::event::UpstreamEvent). It
/// runs on each connection before the first message is read, so what it replies
/// is said anew after each reconnect. If it fails, the connection is given up
/// and tried again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamOptions {
    /// How long an attempt to connect may take, from the look-up of the name to
    /// the end of the WebSocket handshake; 10 seconds by default.
    pub connect_timeout: Duration,

    /// How long is waited at most before the first new attempt, when a
    /// connection has ended or an attempt has failed; 1 second by default, at
    /// least 1 ms. It doubles with each attempt that fails, and a time up to it
    /// is chosen by chance. There is no last attempt.
    pub reconnect_delay: Duration,

    /// How long is waited at most before any attempt, however many have failed;
    /// 30 seconds by default, at least 1 ms. A connection that has held for so
    /// long makes the next wait begin with `reconnect_delay`.
    pub max_reconnect_delay: Duration,

    /// How often the other server is asked whether it is still there; 25
    /// seconds by default, zero for never. One that gives no sign of life
    /// within twice that time, or takes nothing of what is sent to it, is left,
    /// and connected to anew. The time in which a handler runs doesn't count.
    pub heartbeat: Duration,

    /// How long a message may be, received or sent; 1 MiB by default, at most 1
    /// GiB. Memory for it is taken as soon as it is announced. A longer one ends
    /// the connection (close code 1009), and is not sent.
    pub max_message_bytes: usize,

    /// Whose certificates are believed, at a `wss` URL; `SystemRoots` by
    /// default. Its words need no `use` in the option's value:
    /// `{ roots: system_roots_and("root.pem") }` or
    /// `{ roots: roots_of("root.pem") }`.
    pub roots: Roots,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        UpstreamOptions {
            connect_timeout: Duration::from_secs(10),
            reconnect_delay: Duration::from_secs(1),
            max_reconnect_delay: Duration::from_secs(30),
            heartbeat: Duration::from_secs(25),
            max_message_bytes: 1 << 20,
            roots: Roots::default(),
        }
    }
}
