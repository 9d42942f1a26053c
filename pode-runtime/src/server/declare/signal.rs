//! Declares signals, called by the macro's expansion.

use std::any::Any;
use std::sync::Arc;

use pode_core::{Method, Parameters, Payload, SignalDeclaration, SignalFamily, SignalPath};

use super::Declared;
use crate::http::decode::Received;
use crate::net::connection_limit::{ConnectionLimit, LimitWording};
use crate::server::option_bounds::Bounded;
use crate::signal::options::SignalOptions;
use crate::signal::session::Handlers;
use crate::signal::{ReadParameters, Signal, read_json};
use crate::web::client_module;

impl Declared {
    /// Adds the broadcast channel of a signal.
    pub fn signal_channel<Out: Payload, In, L, K>(
        &mut self,
        signal: SignalPath<Out, In, L, K>,
        endpoints: &'static [&'static str],
        options: SignalOptions,
    ) {
        self.add_signal(signal.as_str(), endpoints, options, Out::IS_JSON, None);
    }

    /// Adds the broadcast channels of a family of signals.
    pub fn signal_family<P: Parameters, Out: Payload, In, L, K>(
        &mut self,
        family: SignalFamily<P, Out, In, L, K>,
        endpoints: &'static [&'static str],
        options: SignalOptions,
    ) {
        self.add_signal(family.as_str(), endpoints, options, Out::IS_JSON, Some(read::<P>));
    }

    fn add_signal(
        &mut self,
        path: &'static str,
        endpoints: &'static [&'static str],
        options: SignalOptions,
        is_json: bool,
        read: Option<ReadParameters>,
    ) {
        let options = options.bounded();
        let SignalOptions { max_clients, max_clients_per_address, .. } = options;
        let is_limited = [max_clients, max_clients_per_address] != [usize::MAX; 2];
        let limit = is_limited.then(|| {
            let wording = LimitWording {
                signal: Some(path),
                reached: "clients is reached (`max_clients`); others are refused until some have gone",
                over: "clients are admitted again",
            };
            ConnectionLimit::new(max_clients, max_clients_per_address, wording)
        });
        if is_json && !self.signals.iter().any(|signal| signal.is_json) {
            for path in client_module::PATHS {
                self.route(&[Method::Get], path, &[], client_module::filter());
            }
        }
        let handlers = Arc::default();
        let has_keys = false;
        self.signals.push(Signal {
            path,
            endpoints,
            options,
            limit,
            handlers,
            is_json,
            has_keys,
            read,
        });
    }

    /// Notes that the messages of a signal have keys.
    pub fn latest_by(&mut self, path: &'static str) {
        let signal = self.signals.iter_mut().find(|signal| signal.path == path);
        if let Some(signal) = signal {
            signal.has_keys = true;
        }
    }

    /// Has messages of a signal's clients rebroadcast to its clients.
    pub fn rebroadcast<S, T>(&mut self, signal: S)
    where
        S: SignalDeclaration<Out = T, In = T>,
        T: Received,
    {
        self.edit_handlers(signal.declared_path(), |handlers| {
            handlers.rebroadcast =
                Some(|message| read_json::<T>(message.get().as_bytes()).map(drop));
        });
    }

    /// Changes the handlers of a signal.
    pub(super) fn edit_handlers(&mut self, path: &'static str, change: impl FnOnce(&mut Handlers)) {
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
