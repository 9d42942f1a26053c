//! Events: what handlers receive, one kind for each noun that has a handler.
//!
//! `connection` has the events of clients that connect and disconnect, `signal` that
//! of a client's message, with the client; `web`, `timer`, `schedule` and `upstream` have
//! the others. `head` is what events of a request show of it.

/// Writes the methods that every event has: those of [`Signals`], `state` and
/// `upstream`. The event must have a method `context` that returns its context.
///
/// [`Signals`]: crate::push::publisher::Signals
macro_rules! sending_methods {
    ($event:ident $(<$parameter:ident>)?) => {
        impl$(<$parameter>)? $event$(<$parameter>)? {
            /// Returns the value that `state NAME: T = …;` declares.
            ///
            /// # Panics
            ///
            /// If `name` is of another server of the program. As with any panic
            /// of a handler, the log says so, and the server goes on.
            pub fn state<T: 'static>(&self, name: pode_core::StateName<T>) -> &T {
                self.context().states.find(name)
            }

            /// Returns the sending handle, for tasks that outlive the event.
            pub fn signals(&self) -> &$crate::push::publisher::Signals {
                &self.context().signals
            }

            /// Returns the handle of an upstream, to send to it; see
            /// [`Upstream::send`](crate::upstream::Upstream::send).
            #[cfg(feature = "upstream")]
            pub fn upstream<Sent, Received>(
                &self,
                name: pode_core::UpstreamName<Sent, Received>,
            ) -> $crate::upstream::Upstream<Sent> {
                self.context().upstreams.find(name)
            }

            /// Sends a payload to the clients of a signal; see
            /// [`Signals::send`](crate::push::publisher::Signals::send).
            pub fn send<S: pode_core::SignalTarget>(
                &self,
                signal: S,
                payload: &S::Out,
            ) -> $crate::push::publisher::Sending<S::Level>
            where
                S::Out: pode_core::Payload,
            {
                self.signals().send(signal, payload)
            }

            /// Sends a payload to every client of a signal if the channel has
            /// capacity now; see
            /// [`Signals::try_send`](crate::push::publisher::Signals::try_send).
            ///
            /// # Errors
            ///
            /// As for [`Signals::try_send`](crate::push::publisher::Signals::try_send).
            pub fn try_send<S>(
                &self,
                signal: S,
                payload: &S::Out,
            ) -> Result<(), pode_core::SendError>
            where
                S: pode_core::SignalTarget<Out: pode_core::Payload, Level: pode_core::level::Sendable>,
            {
                self.signals().try_send(signal, payload)
            }

            /// Sends to every client of a signal that a key is removed; see
            /// [`Signals::remove`](crate::push::publisher::Signals::remove).
            pub fn remove<S>(
                &self,
                signal: S,
                key: &(impl ToString + ?Sized),
            ) -> $crate::push::publisher::SendFuture
            where
                S: pode_core::KeyedTarget<Level: pode_core::level::Sendable>,
            {
                self.signals().remove(signal, key)
            }

            /// Returns how far a signal has come; see
            /// [`Signals::position`](crate::push::publisher::Signals::position).
            pub fn position<S: pode_core::SignalTarget>(
                &self,
                signal: S,
            ) -> Option<pode_core::hub::Position> {
                self.signals().position(signal)
            }

            /// Sends JSON that is already encoded, byte for byte; see
            /// [`Signals::send_json`](crate::push::publisher::Signals::send_json).
            pub fn send_json<S: pode_core::SignalTarget>(
                &self,
                signal: S,
                json: &serde_json::value::RawValue,
            ) -> $crate::push::publisher::Sending<S::Level> {
                self.signals().send_json(signal, json)
            }

            /// Returns the clients of a signal, to list, group or close them, or to know
            /// who is present; see
            /// [`Signals::clients`](crate::push::publisher::Signals::clients).
            pub fn clients<S: pode_core::SignalTarget>(&self, signal: S) -> $crate::push::clients::Clients {
                self.signals().clients(signal)
            }

            /// Sends a payload to every client on every path; see
            /// [`Signals::send_to_all`](crate::push::publisher::Signals::send_to_all).
            pub fn send_to_all<T: serde::Serialize + ?Sized>(
                &self,
                payload: &T,
            ) -> $crate::push::publisher::Sending {
                self.signals().send_to_all(payload)
            }
        }
    };
}

mod connection;
mod head;
#[cfg(feature = "schedule")]
mod schedule;
mod signal;
mod timer;
#[cfg(feature = "upstream")]
mod upstream;
mod web;

pub(crate) use connection::{ConnectDecision, ConnectRequest, offered_protocols};
pub use connection::{ConnectEvent, DisconnectEvent};
pub(crate) use head::RequestHead;
#[cfg(feature = "schedule")]
pub use schedule::ScheduleEvent;
pub(crate) use signal::ClientInfo;
pub use signal::{SignalClient, SignalEvent};
pub use timer::TimerEvent;
#[cfg(feature = "upstream")]
pub use upstream::UpstreamEvent;
pub use web::WebEvent;
pub(crate) use web::{CLIENT_ID, WebRequest};
