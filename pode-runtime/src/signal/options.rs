//! The options of signals.

use std::time::Duration;

use crate::http::origin::Origins;
use crate::push::engine::{OnLag, Replay};
use crate::signal::rebroadcast::Rebroadcast;

/// Options of a signal: `signal CHAT: Message = "/" { capacity_messages: 64 };`
///
/// `latest_by: |tick| &tick.symbol` stands among them, too, but is no field, since it is
/// a function of the signal's type: the page of the keyword `signal` has it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignalOptions {
    /// How many messages the channel holds that are sent and not yet being
    /// delivered; 128 by default, at least 1 and at most 1,048,576. When it is
    /// full, `send` waits: nothing is lost at any capacity. Each message of
    /// capacity takes about 50 bytes from the start. While two processes hand over,
    /// half of it is for what the other one sends.
    pub capacity_messages: usize,

    /// What happens to a slow consumer: a client that reads more slowly than
    /// messages come; `Disconnect` by default. The variants need no `use` in
    /// the option's value: `{ on_lag: Skip }`.
    pub on_lag: OnLag,

    /// How many messages of each path are kept, so that a client that was away gets
    /// what it missed; 0 by default: none. While there is room in `history_bytes`,
    /// more are kept, up to 1,024 of each path and 1 MiB: so a client that is slow is
    /// not cut off earlier than without. With `latest_by`, as many keys are kept, each
    /// with its newest message. A client resumes by the position that it has
    /// reached: `/chat?resume=1f6a3c5e7d9b2a40-1729`.
    pub history_messages: usize,

    /// How long a message is kept at most, in whole seconds, rounded up; zero, the
    /// default, means no limit. With `latest_by`, the newest message of a key has no age,
    /// and this is how long a removal is kept: an hour by default. For as long it is
    /// remembered, too, which messages of a `pode.v1` client were handled, but for 2
    /// minutes at least, which is the default.
    pub history_age: Duration,

    /// What the kept messages of a channel may take together: as many bytes as their
    /// frames have and 24 for each, with a key 160 and the key; 8 MiB by default. The oldest go first, of all
    /// paths that have more than `history_messages`, then of any. A signal has one
    /// channel, a family 16. The newest message is kept whatever its size.
    pub history_bytes: usize,

    /// Which of the kept messages a new client gets before those that are sent from
    /// then on; `OnlyNew` by default. The variants need no `use` in the option's
    /// value: `{ history_messages: 50, replay: Messages(20) }`.
    pub replay: Replay,

    /// Of how many clients that are present at a path each is told to those of `pode.v1`;
    /// above that, only how many they are. 0 by default: nobody is. Present is for whom
    /// `on connect` calls [`event.present`](crate::event::ConnectEvent::present). With it,
    /// messages have numbers.
    pub presence: usize,

    /// For how long a client whose connection has ended is present, if it may come back
    /// under its id: by a ticket of `pode.v1`, or since `on connect` has set that; 15
    /// seconds by default. Who closes its connection by itself (1000, or without a code),
    /// or is closed for good, leaves at once.
    pub presence_grace: Duration,

    /// How often the server pings a client, in whole seconds, rounded up; 25
    /// seconds by default. A client that shows no liveness until the next ping is
    /// dropped. Anything that it sends counts, and so does taking queued data.
    /// Browsers answer pings by themselves. The heartbeat also closes a client whose
    /// message has begun but comes at fewer than 128 bytes a second (close code 1008; by
    /// `pode.v1` 4408). The time in which it isn't read, as its handlers are slow, doesn't
    /// count.
    ///
    /// With [`Duration::ZERO`], never: then a connection that the network has lost
    /// stays and counts for ever, and clients of `pode.v1` get no new tickets.
    pub heartbeat: Duration,

    /// Whether clients may hear the signal as an event stream, too: a `GET` of its path that
    /// accepts `text/event-stream`, as by `EventSource`; `On` by default. A signal of
    /// [`RawMessage`](crate::RawMessage) has none. The variants need no `use` in the option's
    /// value: `{ event_streams: Off }`.
    pub event_streams: EventStreams,

    /// Which origins' pages may connect; `OwnPages` by default. The values need
    /// no `use` in the option's value:
    /// `{ origins: pages_of(["https://shop.example"]) }` or
    /// `{ origins: AnyPage }`. Other pages get 403.
    pub origins: Origins,

    /// The maximum size of one message from a client; 64 KiB by default. A
    /// client that sends a larger one gets close code 1009.
    pub max_message_bytes: usize,

    /// The maximum size of one frame of a message from a client; no separate
    /// limit by default. A client that sends a larger one gets close code 1009.
    pub max_frame_bytes: usize,

    /// How long a client may send nothing, in whole seconds, rounded up; zero,
    /// the default, means no limit. Only the client's messages count: not its
    /// answers to the `heartbeat`, nor messages sent to it. A client that
    /// exceeds the timeout is closed with code 1000, at most a quarter of the
    /// timeout late. Of no use where clients only listen.
    pub idle_timeout: Duration,

    /// How many messages a client may send per second, which is also the
    /// allowed burst; 0, the default, means no limit: each client is then
    /// slowed to the pace of its handler. A client that sends more gets the
    /// answers to what it sent before, then a message `{"error":"…","status":429}`, and is
    /// closed with 1008 (by `pode.v1`, 4429). A client of `pode.v1` is told this number
    /// and waits by itself, so twice as many may come at once: the network brings together
    /// what was sent apart. If `on connect` sets its id, or it comes
    /// back by a ticket of `pode.v1`, its next connection goes on with the same rate.
    pub messages_per_second: u32,

    /// The client limit: how many clients may be connected at once, to all paths of
    /// a family together; no limit by default. A client counts until its `on
    /// disconnect` is done. Others get 503, which is logged at most once a
    /// minute. Who comes back by a ticket of `pode.v1` takes the place of its
    /// earlier connection, if that is still there.
    pub max_clients: usize,

    /// How many of them may come from one address; of IPv6, a /64 network counts
    /// as one. No limit by default. Others get 429. Clients whose address isn't
    /// known, as in an application that doesn't pass it on, count only for
    /// `max_clients`.
    pub max_clients_per_address: usize,

    /// To whom clients may send messages where the signal is declared
    /// `=> rebroadcast`. The variants need no `use` in the option's value:
    /// `{ rebroadcast: Anyone }`.
    pub rebroadcast: Rebroadcast,
}

/// Whether clients may hear a signal as an event stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventStreams {
    /// A `GET` that accepts `text/event-stream` is answered with one; another one is left to
    /// the routes.
    #[default]
    On,
    /// Such a request is left to the routes, as any.
    Off,
}

impl Default for SignalOptions {
    fn default() -> Self {
        SignalOptions {
            capacity_messages: 128,
            on_lag: OnLag::default(),
            history_messages: 0,
            history_age: Duration::ZERO,
            history_bytes: 8 << 20,
            replay: Replay::default(),
            presence: 0,
            presence_grace: Duration::from_secs(15),
            heartbeat: Duration::from_secs(25),
            event_streams: EventStreams::default(),
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
