//! The options of upstreams.

use std::time::Duration;

use crate::net::roots::Roots;

/// Options of an upstream:
/// `upstream PRICES: Tick = "wss://feed.example/prices" { heartbeat: 10s } => on_tick;`
///
/// There is one more option, which is a handler: `on_connect`, an `async fn` or
/// an `async` closure that takes an
/// [`UpstreamEvent`](crate::app::event::UpstreamEvent). It runs on each
/// connection before the first message is read, so its replies are sent again
/// after each reconnect. If it fails, the connection is dropped and tried
/// again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamOptions {
    /// How long an attempt to connect may take, from the name lookup to the end
    /// of the WebSocket handshake; 10 seconds by default.
    pub connect_timeout: Duration,

    /// The longest wait before the first new attempt, when a connection has
    /// ended or an attempt has failed; 1 second by default, at least 1 ms. It
    /// doubles with each failed attempt, and the actual wait is a random time
    /// between half of it and all of it. Attempts never cease.
    pub reconnect_delay: Duration,

    /// The longest wait before any attempt, however many have failed; 30
    /// seconds by default, at least 1 ms. After a connection that has lasted
    /// that long, the next wait begins with `reconnect_delay` again.
    pub max_reconnect_delay: Duration,

    /// How often the other server gets a ping; 25 seconds by default,
    /// [`Duration::ZERO`] for never. If no whole message, ping or pong comes from it within twice that
    /// time, or it takes nothing of what is sent to it, the connection is
    /// dropped and made anew. Time in which a handler runs doesn't count.
    pub heartbeat: Duration,

    /// How long a message may be, received or sent, in bytes; 1 MiB by default,
    /// at most 1 GiB. Memory for a message is allocated as soon as its length
    /// is announced. A longer message from the other server ends the connection
    /// (close code 1009); a longer one to it is not sent.
    pub max_message_bytes: usize,

    /// The root certificates to trust at a `wss` URL; `SystemRoots` by default.
    /// Their names need no `use` in the option's value:
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
