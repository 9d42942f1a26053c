//! Signals as declared: what they are made of, and what they do with clients.

mod door;
mod entrance;
mod handlers;
mod incoming;
pub(crate) mod options;
mod rebroadcast;

use std::any::Any;
use std::sync::Arc;

use pode_core::hub::Hub;
use pode_core::{Parameters, Payload, SignalFamily, SignalPath};

pub(crate) use self::door::{Door, Full, Ticket};
pub(crate) use self::entrance::{Entrance, Handshake};
pub use self::incoming::{Frame, FromFrame};
pub use self::rebroadcast::Rebroadcast;
pub(crate) use self::rebroadcast::{Rebroadcasts, Validate};
use crate::push::engine::Parcel;
use crate::server::declare::Declared;
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
    pub(crate) door: Option<Arc<Door>>,
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
    /// Makes the channels of signals, with what comes out of them.
    pub(crate) fn channels(
        signals: &[Signal],
    ) -> (Hub<Parcel>, Vec<pode_core::hub::Delivery<Parcel>>) {
        // Paths of a family are spread over channels, so that one of them wakes
        // one shard: there are as many of these as of cores.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hub::new(signals.iter().flat_map(|Signal { path, options, read, .. }| {
            let channels = if read.is_some() { cores } else { 1 };
            std::iter::repeat_n((*path, options.capacity_messages), channels)
        }))
    }
}

impl Declared {
    /// Adds the broadcast channel of a signal.
    pub fn signal_channel<Out: Payload, In, L>(
        &mut self,
        signal: SignalPath<Out, In, L>,
        endpoints: &'static [&'static str],
        options: SignalOptions,
    ) {
        self.add_signal(signal.as_str(), endpoints, options, None);
    }

    /// Adds the broadcast channels of a family of signals.
    pub fn signal_family<P: Parameters, Out: Payload, In, L>(
        &mut self,
        family: SignalFamily<P, Out, In, L>,
        endpoints: &'static [&'static str],
        options: SignalOptions,
    ) {
        self.add_signal(family.as_str(), endpoints, options, Some(read::<P>));
    }

    fn add_signal(
        &mut self,
        path: &'static str,
        endpoints: &'static [&'static str],
        options: SignalOptions,
        read: Option<ReadParameters>,
    ) {
        let options = options.in_range();
        let door = Door::new(path, options.max_clients, options.max_clients_per_address);
        let handlers = Arc::default();
        self.signals.push(Signal { path, endpoints, options, door, handlers, read });
    }

    /// Changes what is done with the clients of a signal.
    fn attend(&mut self, path: &'static str, change: impl FnOnce(&mut Handlers)) {
        let signal = self.signals.iter_mut().find(|signal| signal.path == path);
        if let Some(handlers) = signal.and_then(|signal| Arc::get_mut(&mut signal.handlers)) {
            change(handlers);
        }
    }
}

fn read<P: Parameters>(
    path: &'static str,
    names: &[Arc<str>],
    values: &[String],
) -> Result<(Arc<dyn Any + Send + Sync>, Arc<str>), String> {
    let parameters = P::read(names, values)?;
    let path = parameters.write(path);
    Ok((Arc::new(parameters), path))
}
pub(crate) mod session;
