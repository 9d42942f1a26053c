//! The options of upstreams.

use std::time::Duration;

use crate::upstream::roots::Roots;

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
