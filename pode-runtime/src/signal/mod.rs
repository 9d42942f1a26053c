//! Signals: `connect` makes a client of a handshake, `session` calls the handlers of
//! its messages and its end, `rebroadcast` sends messages of clients to other clients.
//! `incoming` reads messages, `options` has the options.

mod connect;
mod incoming;
pub(crate) mod options;
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
use crate::net::client_limit::ClientLimit;
use crate::push::engine::{Envelope, SubscriberPolicy};
use crate::signal::options::SignalOptions;
use crate::signal::session::Handlers;

/// What clients listen to, and may speak to.
#[derive(Debug)]
pub(crate) struct Signal {
    pub(crate) path: &'static str,
    /// The endpoints it serves; none means all that speak WebSocket.
    pub(crate) endpoints: &'static [&'static str],
    pub(crate) options: SignalOptions,
    /// Absent if it is open to any number.
    pub(crate) limit: Option<Arc<ClientLimit>>,
    /// Shared as soon as the server starts.
    pub(crate) handlers: Arc<Handlers>,
    /// Reads the parameters of a family's path.
    pub(crate) read: Option<ReadParameters>,
}

/// Makes a tuple of what a client asked for, and the path that it means.
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

    /// Makes the channels of signals, with what comes out of them.
    pub(crate) fn channels(
        signals: &[Signal],
    ) -> (Hub<Envelope>, Vec<pode_core::hub::Receiver<Envelope>>) {
        // Paths of a family are spread over channels, so that one of them wakes
        // one shard: there are as many of these as of cores.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hub::new(signals.iter().flat_map(|Signal { path, options, read, .. }| {
            let channels = if read.is_some() { cores } else { 1 };
            std::iter::repeat_n((*path, options.capacity_messages), channels)
        }))
    }
}
