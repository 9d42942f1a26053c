//! Signals: the `filter` of a `route` tells requests apart; `connect` makes a client of one
//! that comes in by an `entrance`, `session` calls the handlers of its messages and its end,
//! `post` takes messages that come without a WebSocket, `rebroadcast` sends messages of
//! clients to other clients. `incoming` reads messages, `rate` limits how many, `options` has
//! the options, `position` finds signals by their paths.

mod connect;
mod entrance;
mod filter;
mod incoming;
pub(crate) mod options;
mod position;
pub(crate) mod post;
mod rate;
pub(crate) mod rebroadcast;
mod route;
pub(crate) mod session;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pode_core::frame::AcceptPolicy;
use pode_core::hub::{Hub, Log, LogBounds, Position};

pub use self::incoming::FromMessage;
pub(crate) use self::incoming::read_json;
pub(crate) use self::position::positions;
pub use self::rebroadcast::Rebroadcast;
pub(crate) use self::rebroadcast::Validate;
pub(crate) use self::route::{Handshake, SignalRoute};
use crate::net::connection_limit::ConnectionLimit;
#[cfg(feature = "redis")]
use crate::push::engine::Lasting;
use crate::push::engine::{Envelope, SubscriberPolicy, random_epoch};
use crate::signal::options::SignalOptions;
use crate::signal::session::Handlers;

/// A signal, to which clients listen and may send.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    pub(crate) path: &'static str,
    /// The endpoints it is served at; empty means all WebSocket endpoints.
    pub(crate) endpoints: &'static [&'static str],
    pub(crate) options: SignalOptions,
    /// Absent if there is no client limit.
    pub(crate) limit: Option<Arc<ConnectionLimit>>,
    /// Shared once the server starts.
    pub(crate) handlers: Arc<Handlers>,
    /// Whether its messages are JSON.
    pub(crate) is_json: bool,
    /// Whether they have keys.
    pub(crate) has_keys: bool,
    /// Reads the path parameters of a family.
    pub(crate) read: Option<ReadParameters>,
}

/// Parses the parameter values of a request into a tuple, and returns the
/// resulting path, too.
pub(crate) type ReadParameters = fn(
    &'static str,
    &[Arc<str>],
    &[String],
) -> Result<(Arc<dyn Any + Send + Sync>, Arc<str>), String>;

impl Signal {
    /// Returns how its clients are treated.
    pub(crate) fn policy(&self) -> SubscriberPolicy {
        let SignalOptions { on_lag, heartbeat, idle_timeout, replay, .. } = self.options;
        let SignalOptions { max_message_bytes: max_bytes, max_frame_bytes, .. } = self.options;
        let incoming = match self.handlers.receives() {
            true => AcceptPolicy::Messages { max_bytes, max_frame_bytes },
            false => AcceptPolicy::Nothing,
        };
        let history = (self.options.history_messages > 0).then_some(replay);
        let mut policy = SubscriberPolicy::new(on_lag, heartbeat, idle_timeout, incoming, history);
        policy.has_keys = self.has_keys;
        policy.presence = self.options.presence;
        policy
    }

    /// Returns for how long clients of signals are present after their connections have
    /// ended, where they are present at all.
    pub(crate) fn presence_graces(signals: &[Signal]) -> HashMap<&'static str, Duration> {
        let with_presence = signals.iter().filter(|signal| signal.options.presence > 0);
        with_presence.map(|signal| (signal.path, signal.options.presence_grace)).collect()
    }

    /// Returns which messages of signals count however long ago they were sent, if any do.
    #[cfg(feature = "redis")]
    pub(crate) fn lasting(signals: &[Signal]) -> HashMap<&'static str, Lasting> {
        let lasting = |signal: &Signal| Some((signal.path, signal.policy().lasting()?));
        signals.iter().filter_map(lasting).collect()
    }

    /// Makes the channels of signals, and their receivers.
    pub(crate) fn channels(
        signals: &[Signal],
        hands_over: bool,
    ) -> (Hub<Envelope>, Vec<pode_core::hub::Receiver<Envelope>>) {
        Hub::with_logs(signals.iter().flat_map(|Signal { path, options, read, .. }| {
            let SignalOptions { capacity_messages, history_messages, history_age, .. } = options;
            let messages = *history_messages;
            let age = (!history_age.is_zero()).then_some(history_age.as_secs() as u32);
            let bounds = LogBounds { messages, age, bytes: options.history_bytes };
            let has_numbers = hands_over || messages > 0 || options.presence > 0;
            let channels = if read.is_some() { FAMILY_CHANNELS } else { 1 };
            (0..channels).map(move |_| {
                let log = has_numbers
                    .then(|| Log::new(Position { epoch: random_epoch(), number: 0 }, bounds));
                (*path, *capacity_messages, log)
            })
        }))
    }
}

/// Over how many channels the paths of a family are spread, so that a message to one
/// path wakes only one shard. Two processes that hand over must have the same number.
const FAMILY_CHANNELS: usize = 16;
