//! Signals: `connect` makes a client of a handshake, `session` calls the handlers of
//! its messages and its end, `rebroadcast` sends messages of clients to other clients.
//! `incoming` reads messages, `rate` limits how many, `options` has the options.

mod connect;
mod incoming;
pub(crate) mod options;
mod rate;
pub(crate) mod rebroadcast;
pub(crate) mod session;

use std::any::Any;
use std::sync::Arc;

use pode_core::frame::AcceptPolicy;
use pode_core::hub::Hub;

pub(crate) use self::connect::{Handshake, SignalRoute};
pub use self::incoming::FromMessage;
pub(crate) use self::incoming::read_json;
pub use self::rebroadcast::Rebroadcast;
pub(crate) use self::rebroadcast::Validate;
use crate::net::connection_limit::ConnectionLimit;
use crate::push::engine::{Envelope, SubscriberPolicy};
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
        let SignalOptions { on_lag, heartbeat, idle_timeout, .. } = self.options;
        let SignalOptions { max_message_bytes: max_bytes, max_frame_bytes, .. } = self.options;
        let incoming = match self.handlers.receives() {
            true => AcceptPolicy::Messages { max_bytes, max_frame_bytes },
            false => AcceptPolicy::Nothing,
        };
        SubscriberPolicy::new(on_lag, heartbeat, idle_timeout, incoming)
    }

    /// Makes the channels of signals, and their receivers. A family that another
    /// process has has as many as there.
    pub(crate) fn channels(
        signals: &[Signal],
        elsewhere: impl Fn(&str) -> Option<usize>,
    ) -> (Hub<Envelope>, Vec<pode_core::hub::Receiver<Envelope>>) {
        // Paths of a family are spread over as many channels as there are
        // cores, so that a message to one path wakes only one shard.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hub::new(signals.iter().flat_map(|Signal { path, options, read, .. }| {
            let channels = if read.is_some() { elsewhere(path).unwrap_or(cores) } else { 1 };
            std::iter::repeat_n((*path, options.capacity_messages), channels)
        }))
    }
}
