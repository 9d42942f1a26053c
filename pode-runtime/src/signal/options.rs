//! The options of signals.

use std::time::Duration;

use crate::http::origin::Origins;
use crate::push::engine::OnLag;
use crate::signal::rebroadcast::Rebroadcast;

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
    /// `DisconnectReason` by default. Its words need no `use` in the option's value:
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
