//! Handlers of signals: boxes the closures and functions of a declaration.
//!
//! There is one variant for a plain path, and one for each number of parameters
//! that a family's path may have.

use futures_util::FutureExt;
use pode_core::{Parameters, SignalFamily, SignalPath};

use super::Declared;
use crate::app::event::{ConnectEvent, DisconnectEvent, SignalEvent};
use crate::base::error::EventError;
use crate::base::function::{Function, Takes};
use crate::base::outcome::{Asynchronous, BoxError, Outcome};
use crate::push::session::Incoming;
use crate::signal::FromMessage;
use crate::signal::session::Handled;

macro_rules! handlers {
    (
        $handler:ident, $on_connect:ident, $on_disconnect:ident,
        $function:ident, $connect_function:ident, $disconnect_function:ident,
        $signal:ty, ($($type:ident),*) ($($value:ident),*)
    ) => {
        impl Declared {
            /// Sets the handler for clients' messages; it takes the values of
            /// the path's parameters between event and message.
            pub fn $handler<$($type,)* Out, In, L, K, Handler, Done>(
                &mut self,
                signal: $signal,
                handler: Handler,
            ) where
                ($($type,)*): Parameters,
                Out: 'static,
                In: FromMessage,
                Handler: Fn(SignalEvent<Out>, $($type,)* In) -> Done + Send + Sync + 'static,
                Done: Asynchronous<Value: Outcome> + Send + 'static,
            {
                self.edit_handlers(signal.as_str(), |handlers| {
                    handlers.receive = Some(Box::new(move |client, incoming: Incoming| {
                        let Incoming { message, number, may_be_repeated, .. } = incoming;
                        let message = match In::from_message(message) {
                            Ok(message) => message,
                            Err(sentence) => return refused(sentence),
                        };
                        let Some(($($value,)*)) = client.parameters() else { return unknown() };
                        let done = handler(SignalEvent::new(client, number, may_be_repeated), $($value,)* message);
                        async move { done.await.into_result() }.boxed()
                    }));
                });
            }

            /// Sets the connect handler; it takes the values of the path's
            /// parameters after the event.
            pub fn $on_connect<$($type,)* Out, In, L, K, Handler, Done>(
                &mut self,
                signal: $signal,
                handler: Handler,
            ) where
                ($($type,)*): Parameters,
                Out: 'static,
                Handler: Fn(ConnectEvent<Out>, $($type),*) -> Done + Send + Sync + 'static,
                Done: Asynchronous<Value: Outcome> + Send + 'static,
            {
                self.edit_handlers(signal.as_str(), |handlers| {
                    handlers.connect = Some(Box::new(move |request| {
                        let Some(($($value,)*)) = request.parameters() else { return unknown() };
                        let done = handler(ConnectEvent::new(request), $($value),*);
                        async move { done.await.into_result() }.boxed()
                    }));
                });
            }

            /// Sets the disconnect handler; it takes the values of the path's
            /// parameters after the event.
            pub fn $on_disconnect<$($type,)* Out, In, L, K, Handler, Done>(
                &mut self,
                signal: $signal,
                handler: Handler,
            ) where
                ($($type,)*): Parameters,
                Handler: Fn(DisconnectEvent, $($type),*) -> Done + Send + Sync + 'static,
                Done: Asynchronous<Value: Outcome> + Send + 'static,
            {
                self.edit_handlers(signal.as_str(), |handlers| {
                    handlers.disconnect = Some(Box::new(move |client, reason| {
                        let Some(($($value,)*)) = client.parameters() else { return unknown() };
                        let done = handler(DisconnectEvent::new(client, reason), $($value),*);
                        async move { done.await.into_result() }.boxed()
                    }));
                });
            }

            /// As for a closure.
            pub fn $function<$($type,)* Out, In, L, K, Handler, Taken, Done>(
                &mut self,
                signal: $signal,
                handler: Handler,
            ) where
                ($($type,)*): Parameters,
                Out: 'static,
                In: FromMessage,
                Handler: Function<Taken, Answer = Done> + Send + Sync + 'static,
                Taken: Takes<(SignalEvent<Out>, $($type,)* In)>,
                Done: Asynchronous<Value: Outcome> + Send + 'static,
            {
                self.$handler(signal, move |event, $($value,)* message| {
                    handler.call(Taken::of((event, $($value,)* message)))
                });
            }

            /// As for a closure.
            pub fn $connect_function<$($type,)* Out, In, L, K, Handler, Taken, Done>(
                &mut self,
                signal: $signal,
                handler: Handler,
            ) where
                ($($type,)*): Parameters,
                Out: 'static,
                Handler: Function<Taken, Answer = Done> + Send + Sync + 'static,
                Taken: Takes<(ConnectEvent<Out>, $($type,)*)>,
                Done: Asynchronous<Value: Outcome> + Send + 'static,
            {
                self.$on_connect(signal, move |event, $($value),*| {
                    handler.call(Taken::of((event, $($value,)*)))
                });
            }

            /// As for a closure.
            pub fn $disconnect_function<$($type,)* Out, In, L, K, Handler, Taken, Done>(
                &mut self,
                signal: $signal,
                handler: Handler,
            ) where
                ($($type,)*): Parameters,
                Handler: Function<Taken, Answer = Done> + Send + Sync + 'static,
                Taken: Takes<(DisconnectEvent, $($type,)*)>,
                Done: Asynchronous<Value: Outcome> + Send + 'static,
            {
                self.$on_disconnect(signal, move |event, $($value),*| {
                    handler.call(Taken::of((event, $($value,)*)))
                });
            }
        }
    };
}

handlers!(
    signal_handler_0, on_connect_0, on_disconnect_0,
    signal_function_0, on_connect_function_0, on_disconnect_function_0,
    SignalPath<Out, In, L, K>, () ()
);
handlers!(
    signal_handler_1, on_connect_1, on_disconnect_1,
    signal_function_1, on_connect_function_1, on_disconnect_function_1,
    SignalFamily<(A,), Out, In, L, K>, (A) (a)
);
handlers!(
    signal_handler_2, on_connect_2, on_disconnect_2,
    signal_function_2, on_connect_function_2, on_disconnect_function_2,
    SignalFamily<(A, B), Out, In, L, K>, (A, B) (a, b)
);
handlers!(
    signal_handler_3, on_connect_3, on_disconnect_3,
    signal_function_3, on_connect_function_3, on_disconnect_function_3,
    SignalFamily<(A, B, C), Out, In, L, K>, (A, B, C) (a, b, c)
);
handlers!(
    signal_handler_4, on_connect_4, on_disconnect_4,
    signal_function_4, on_connect_function_4, on_disconnect_function_4,
    SignalFamily<(A, B, C, D), Out, In, L, K>, (A, B, C, D) (a, b, c, d)
);

/// Reports to a client what is wrong with its message.
fn refused(sentence: String) -> Handled {
    std::future::ready(Err(BoxError::from(EventError::new(400, sentence)))).boxed()
}

/// The values were parsed into the signal's own types, so this doesn't happen.
fn unknown() -> Handled {
    std::future::ready(Err("the parameters of the path are of another type".into())).boxed()
}
