//! Events: what handlers receive, one kind for each noun that has a handler.

/// Writes the methods that every event has: those of [`Signals`], and `state`.
/// The event lends its server by a method `house`.
///
/// [`Signals`]: crate::Signals
macro_rules! sending_methods {
    ($event:ident) => {
        impl $event {
            /// Returns the value that `state T = …;` declares.
            ///
            /// # Errors
            ///
            /// An error of status 500 that names the type, if none of it is
            /// declared.
            pub fn state<T: 'static>(&self) -> Result<&T, $crate::EventError> {
                self.house().states.find()
            }

            /// Returns the handle to send with, for tasks that outlive the event.
            pub fn signals(&self) -> &$crate::Signals {
                &self.house().signals
            }

            /// Sends a payload to every client on the path of a signal; see
            /// [`Signals::send`](crate::Signals::send).
            pub fn send<Out: serde::Serialize, In>(
                &self,
                signal: pode_core::SignalPath<Out, In>,
                payload: &Out,
            ) -> $crate::signals::Sending {
                self.signals().send(signal, payload)
            }

            /// Sends a payload if there is room now; see
            /// [`Signals::try_send`](crate::Signals::try_send).
            ///
            /// # Errors
            ///
            /// As for [`Signals::try_send`](crate::Signals::try_send).
            pub fn try_send<Out: serde::Serialize, In>(
                &self,
                signal: pode_core::SignalPath<Out, In>,
                payload: &Out,
            ) -> Result<(), pode_core::SendError> {
                self.signals().try_send(signal, payload)
            }

            /// Sends ready-made JSON, byte for byte; see
            /// [`Signals::send_json`](crate::Signals::send_json).
            pub fn send_json<Out, In>(
                &self,
                signal: pode_core::SignalPath<Out, In>,
                json: &serde_json::value::RawValue,
            ) -> $crate::signals::Sending {
                self.signals().send_json(signal, json)
            }

            /// Sends a payload to every client on every path; see
            /// [`Signals::send_to_all`](crate::Signals::send_to_all).
            pub fn send_to_all<T: serde::Serialize + ?Sized>(
                &self,
                payload: &T,
            ) -> $crate::signals::Sending {
                self.signals().send_to_all(payload)
            }
        }
    };
}

mod schedule;
mod timer;
mod web;

pub use schedule::ScheduleEvent;
pub use timer::TimerEvent;
pub use web::WebEvent;
pub(crate) use web::{House, Web};

/// Returns the surroundings of an event, for tests: no signals, no states.
#[cfg(test)]
pub(crate) fn house() -> std::sync::Arc<House> {
    let (hub, _) = pode_core::hub::Hub::new([]);
    let signals = crate::Signals::new(hub, std::time::Duration::ZERO);
    std::sync::Arc::new(House { signals, states: Default::default(), views: None })
}
