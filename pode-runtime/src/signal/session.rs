//! A client session: one admitted client of a signal with handlers, until the
//! client has disconnected.
//!
//! Whatever happens to the connection, its end is reported exactly once, after
//! all messages of the client were handled. A session that is dropped reports
//! it, too.

use std::num::NonZero;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use pode_core::frame::Close;
use pode_core::{Message, SendError};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::app::event::{ConnectRequest, SignalClient};
use crate::base::debug_form::debug_form;
use crate::base::one_line::OneLine;
use crate::base::outcome::{BoxError, Failed, caught, failure};
use crate::base::supervisor::{self, has_ended};
use crate::net::connection_limit::ConnectionPermit;
use crate::push::engine::Form;
use crate::push::raw_message::RawMessage;
use crate::push::session::{DisconnectReason, Fault, Session};
use crate::signal::Validate;
use crate::signal::rate::{KnownRates, Rate};

/// The handlers of a signal.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) connect: Option<ConnectHandler>,
    pub(crate) receive: Option<ReceiveHandler>,
    pub(crate) disconnect: Option<DisconnectHandler>,
    /// Present where clients' messages are rebroadcast.
    pub(crate) rebroadcast: Option<Validate>,
    /// The rates of clients that the program knows.
    pub(crate) rates: KnownRates,
}

pub(crate) type Handled = BoxFuture<'static, Result<(), BoxError>>;
pub(crate) type ConnectHandler = Box<dyn Fn(Arc<ConnectRequest>) -> Handled + Send + Sync>;
pub(crate) type ReceiveHandler = Box<dyn Fn(SignalClient, RawMessage) -> Handled + Send + Sync>;
pub(crate) type DisconnectHandler =
    Box<dyn Fn(SignalClient, DisconnectReason) -> Handled + Send + Sync>;

/// One admitted client.
pub(crate) struct ClientSession {
    client: SignalClient,
    handlers: Arc<Handlers>,
    /// Found or made at the client's first message.
    rate: Option<Arc<Rate>>,
    messages_per_second: Option<NonZero<u32>>,
    /// Whether the program knows the client: its rate goes on with its next
    /// connection.
    is_known: bool,
    form: Form,
    /// The client counts until all is done for it.
    permit: Option<ConnectionPermit>,
    /// Whether the end was reported.
    has_left: bool,
}

impl Handlers {
    /// Whether there is a handler for clients' messages.
    pub(crate) fn receives(&self) -> bool {
        self.receive.is_some()
    }

    /// Whether clients need a session.
    pub(crate) fn needs_session(&self) -> bool {
        self.receive.is_some() || self.disconnect.is_some()
    }

    /// Has a message handled. Every failure is reported to the client.
    async fn receive(&self, client: &SignalClient, message: RawMessage) {
        let Some(receive) = &self.receive else { return };
        let handled = caught(async { receive(client.clone(), message).await }).await;
        let Err(failed) = handled else { return };
        let text = match failed {
            Failed::Answer(error) => error.to_string(),
            Failed::Reason(reason) => {
                tracing::error!(
                    signal = client.signal(),
                    "the handler of a message failed: {}",
                    OneLine(&reason)
                );
                "the server could not handle this message".to_owned()
            }
        };
        if let Err(error) = client.tell_error(error_reply(&text)).await {
            tracing::debug!(signal = client.signal(), %error, "a client isn't told of its error");
        }
    }
}

/// The reply to a message that could not be handled.
fn error_reply(text: &str) -> Message {
    Message::text(&json!({ "error": text }).to_string())
}

/// Returns what a client of `pode.v1` sent, without the object around it.
fn unwrapped(message: &RawMessage) -> Option<RawMessage> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapped<'message> {
        #[serde(borrow)]
        data: &'message RawValue,
    }
    let RawMessage::Text(text) = message else { return None };
    // An array would be read, too.
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let Wrapped { data } = serde_json::from_str(text).ok()?;
    Some(RawMessage::Text(data.get().to_owned()))
}

fn has_stopped(error: &BoxError) -> bool {
    matches!(error.downcast_ref(), Some(SendError::Stopped { .. }))
}

impl ClientSession {
    /// Begins a session; the client may send this many messages per second.
    pub(crate) fn new(
        client: SignalClient,
        is_known: bool,
        handlers: Arc<Handlers>,
        messages_per_second: u32,
        form: Form,
        permit: Option<ConnectionPermit>,
    ) -> ClientSession {
        let messages_per_second = NonZero::new(messages_per_second);
        ClientSession {
            client,
            handlers,
            rate: None,
            messages_per_second,
            is_known,
            form,
            permit,
            has_left: false,
        }
    }

    /// Counts a message; returns whether the client may send it.
    fn is_in_rate(&mut self) -> bool {
        let Some(per_second) = self.messages_per_second else { return true };
        let rate = self.rate.get_or_insert_with(|| match self.is_known {
            true => self.handlers.rates.find(self.client.id(), per_second),
            false => Arc::new(Rate::new(per_second)),
        });
        rate.take()
    }

    /// Handles messages in their order; nothing happens until the future is
    /// awaited.
    fn handled(&self, messages: Vec<RawMessage>) -> impl Future<Output = ()> + use<> {
        let (client, handlers) = (self.client.clone(), Arc::clone(&self.handlers));
        async move {
            for message in messages {
                // Only the log can still panic, which must not lose a message.
                let _ = supervisor::caught(handlers.receive(&client, message)).await;
            }
        }
    }
}

impl Session for ClientSession {
    fn accept(&mut self, message: RawMessage) -> Result<RawMessage, Fault> {
        if !self.is_in_rate() {
            let per_second = self.messages_per_second.map_or(0, NonZero::get);
            let text = format!("too many messages: at most {per_second} in a second are taken");
            let close = match self.form {
                Form::Plain => Close::TOO_MANY,
                Form::V1 => Close::TOO_MANY_V1,
            };
            return Err(Fault { message: Some(error_reply(&text)), close });
        }
        match self.form {
            Form::Plain => Ok(message),
            Form::V1 => unwrapped(&message).ok_or(Fault { message: None, close: Close::NOT_V1 }),
        }
    }

    fn handle(&self, messages: Vec<RawMessage>) -> JoinHandle<()> {
        tokio::spawn(self.handled(messages))
    }

    fn leave(
        &mut self,
        end: DisconnectReason,
        handling: Option<JoinHandle<()>>,
        waiting: Vec<RawMessage>,
    ) {
        self.has_left = true;
        if self.handlers.disconnect.is_none() && handling.is_none() && waiting.is_empty() {
            return;
        }
        // Without a runtime, everything has ended.
        let Ok(runtime) = Handle::try_current() else { return };
        let handled = self.handled(waiting);
        let (client, handlers) = (self.client.clone(), Arc::clone(&self.handlers));
        let client_tasks = self.client.client_tasks().clone();
        let permit = self.permit.take();
        client_tasks.spawn_on(
            async move {
                let _permit = permit;
                if let Some(handling) = handling {
                    has_ended(handling.await);
                }
                handled.await;
                let Some(disconnect) = &handlers.disconnect else { return };
                let told = failure(async {
                    match disconnect(client.clone(), end).await {
                        // The handler sent to other clients, which the stop
                        // disconnects as well.
                        Err(error) if has_stopped(&error) => Ok(()),
                        told => told,
                    }
                });
                if let Some(reason) = told.await {
                    tracing::error!(
                        signal = client.signal(),
                        "the handler of `on disconnect` failed: {}",
                        OneLine(&reason)
                    );
                }
            },
            &runtime,
        );
    }
}

impl Drop for ClientSession {
    fn drop(&mut self) {
        if !self.has_left {
            self.leave(DisconnectReason::Lost, None, Vec::new());
        }
    }
}

debug_form!(ClientSession, |it| { client: it.client });

debug_form!(Handlers, |it| { receives: it.receives() });
