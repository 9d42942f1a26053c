//! A client session: one admitted client of a signal with handlers, until the
//! client has disconnected.
//!
//! Whatever happens to the connection, its end is reported exactly once, after
//! all messages of the client were handled. A session that is dropped reports
//! it, too.

use std::future::poll_fn;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use futures_util::future::BoxFuture;
use pode_core::frame::Close;
use pode_core::{Message, SendError};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::app::event::{ConnectRequest, SignalClient};
use crate::app::sequences::{Hold, Place};
use crate::base::debug_form::debug_form;
use crate::base::error::EventError;
use crate::base::one_line::OneLine;
use crate::base::outcome::{BoxError, Failed, caught, failure};
use crate::base::supervisor::{self, has_ended};
use crate::net::connection_limit::SharedPermit;
use crate::push::raw_message::RawMessage;
use crate::push::session::{DisconnectReason, Fault, Incoming, Number, Session};
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
pub(crate) type ReceiveHandler = Box<dyn Fn(SignalClient, Incoming) -> Handled + Send + Sync>;
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
    /// Present if the client speaks `pode.v1`.
    hold: Option<Box<Hold>>,
    /// The client counts until all is done for it.
    permit: Option<SharedPermit>,
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

    /// Has a message handled. Every failure is reported to the client; returns whether
    /// that was possible, as it isn't when the server stops.
    async fn receive(&self, client: &SignalClient, message: Incoming) -> bool {
        let Some(receive) = &self.receive else { return true };
        let number = message.number;
        let handled = caught(async { receive(client.clone(), message).await }).await;
        let Err(failed) = handled else { return true };
        let error = match failed {
            Failed::Answer(error) => error,
            Failed::Reason(reason) => {
                tracing::error!(
                    signal = client.signal(),
                    "the handler of a message failed: {}",
                    OneLine(&reason)
                );
                EventError::new(500, "the server could not handle this message")
            }
        };
        let told = client.tell_error(error_reply(&error), number).await;
        if let Err(error) = &told {
            tracing::debug!(signal = client.signal(), %error, "a client isn't told of its error");
        }
        !matches!(told, Err(SendError::Stopped { .. }))
    }
}

/// The reply to a message that could not be handled.
fn error_reply(error: &EventError) -> Message {
    let told = json!({ "error": error.to_string(), "status": error.status().as_u16() });
    Message::text(&told.to_string())
}

/// Numbers are below this, so that all readers of JSON know them exactly.
const MAX_NUMBER: u64 = 1 << 53;

/// What a client of `pode.v1` sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped<'message> {
    #[serde(default, deserialize_with = "present")]
    n: Option<NonZero<u64>>,
    #[serde(default)]
    again: bool,
    /// Absent of a message that the client has given up: it has its number alone.
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'message RawValue>,
}

/// Reads a member that may be absent, but not null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl Wrapped<'_> {
    fn read(message: &RawMessage) -> Option<Wrapped<'_>> {
        let RawMessage::Text(text) = message else { return None };
        // An array would be read, too.
        let is_object = text.trim_start().starts_with('{');
        let read: Wrapped<'_> = serde_json::from_str(text).ok().filter(|_| is_object)?;
        let is_message = match read.n {
            Some(n) => n.get() < MAX_NUMBER,
            None => read.data.is_some() && !read.again,
        };
        is_message.then_some(read)
    }
}

/// Whether a client comes back by itself after such an end, and isn't back already:
/// docs/protocol.md, Close codes.
fn comes_back(end: DisconnectReason) -> bool {
    match end {
        DisconnectReason::ByClient { code } => code.is_some_and(|code| code != 1000),
        DisconnectReason::ByServer { code } | DisconnectReason::Error { code } => match code {
            4408 | 4425 | 4429 => true,
            1000 | 1002 | 1003 | 1007..=1009 | 4001 | 4400..=4499 => false,
            _ => true,
        },
        _ => true,
    }
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
        hold: Option<Hold>,
        permit: Option<SharedPermit>,
    ) -> ClientSession {
        let messages_per_second = NonZero::new(messages_per_second);
        ClientSession {
            client,
            handlers,
            rate: None,
            messages_per_second,
            is_known,
            hold: hold.map(Box::new),
            permit,
            has_left: false,
        }
    }

    /// Counts a message; returns whether the client may send it.
    fn is_in_rate(&mut self) -> bool {
        let Some(per_second) = self.messages_per_second else { return true };
        // It may come back by its ticket.
        let comes_back = self.is_known || self.hold.is_some();
        let rate = self.rate.get_or_insert_with(|| match comes_back {
            true => self.handlers.rates.find(self.client.id(), per_second),
            false => Arc::new(Rate::new(per_second)),
        });
        // What a client of `pode.v1` sends at this rate, the network may bring together.
        let seconds = if self.hold.is_some() { 2 } else { 1 };
        rate.take(seconds)
    }

    /// Handles messages in their order; nothing happens until the future is
    /// awaited.
    fn handle_all(&self, messages: Vec<Incoming>) -> impl Future<Output = ()> + use<> {
        let (client, handlers) = (self.client.clone(), Arc::clone(&self.handlers));
        let hold = self.hold_of(&messages);
        async move {
            for mut message in messages {
                let turn = match (&hold, message.number) {
                    (Some(hold), Some(Number { number, .. })) => {
                        // It is handled, or its client sends it by another connection.
                        let Some(turn) = hold.handle(number).await else { continue };
                        message.may_be_repeated |= turn.may_be_repeated;
                        Some(turn)
                    }
                    _ => None,
                };
                // It has had its turn, and that is all.
                if message.is_given_up {
                    continue;
                }
                // Only the log can still panic, which must not lose a message.
                let is_told = supervisor::caught(handlers.receive(&client, message)).await;
                if let (Some(turn), Ok(false)) = (turn, is_told) {
                    turn.give_up();
                }
            }
        }
    }

    /// Returns the hold on the sequence of messages, if any of these has a number.
    fn hold_of(&self, messages: &[Incoming]) -> Option<Hold> {
        let has_number = messages.iter().any(|message| message.number.is_some());
        self.hold.as_deref().filter(|_| has_number).cloned()
    }

    /// Returns the message in what a client of `pode.v1` sent; `None` if it came before.
    fn unwrap(&mut self, message: &RawMessage) -> Result<Option<Incoming>, Fault> {
        let fault = |close| Fault { message: None, close };
        let wrapped = Wrapped::read(message).ok_or_else(|| fault(Close::NOT_V1))?;
        let Wrapped { n, again, data } = wrapped;
        let is_given_up = data.is_none();
        let message = RawMessage::Text(data.map_or("", RawValue::get).to_owned());
        let Some(number) = n.map(NonZero::get) else { return Ok(Some(Incoming::plain(message))) };
        match self.place(number) {
            Some(Place::Next) => {
                let number = self.sequence().map(|sequence| Number { number, sequence });
                Ok(Some(Incoming { message, number, may_be_repeated: again, is_given_up }))
            }
            Some(Place::Again) => Ok(None),
            Some(Place::Beyond) => Err(fault(Close::NOT_NEXT)),
            Some(Place::Elsewhere) | None => Err(fault(Close::ELSEWHERE)),
        }
    }

    /// Finds the place of a numbered message.
    fn place(&mut self, number: u64) -> Option<Place> {
        Some(self.client.context().sequences.receive(self.hold.as_mut()?, number))
    }
}

impl Session for ClientSession {
    fn accept(&mut self, message: RawMessage) -> Result<Option<Incoming>, Fault> {
        let incoming = match self.hold {
            None => Some(Incoming::plain(message)),
            Some(_) => self.unwrap(&message)?,
        };
        if incoming.is_some() && !self.is_in_rate() {
            let per_second = self.messages_per_second.map_or(0, NonZero::get);
            let text = format!("too many messages: at most {per_second} in a second are taken");
            let close = match self.hold {
                None => Close::TOO_MANY,
                Some(_) => Close::TOO_MANY_V1,
            };
            let error = EventError::new(429, text);
            return Err(Fault { message: Some(error_reply(&error)), close });
        }
        Ok(incoming)
    }

    fn handle(&self, messages: Vec<Incoming>, waker: Waker) -> JoinHandle<()> {
        let hold = self.hold_of(&messages);
        let handled = self.handle_all(messages);
        tokio::spawn(async move {
            let mut handled = pin!(handled);
            let mut told = None;
            poll_fn(|context| {
                let poll = handled.as_mut().poll(context);
                // When all are handled, the shard is woken in any case.
                if let (Poll::Pending, Some(hold)) = (poll, &hold)
                    && told != hold.handled()
                {
                    told = hold.handled();
                    waker.wake_by_ref();
                }
                poll
            })
            .await;
        })
    }

    fn handled(&self) -> Option<u64> {
        self.hold.as_ref()?.handled()
    }

    fn acknowledge(&mut self, number: u64) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.acknowledge(number))
    }

    fn is_elsewhere(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.is_elsewhere())
    }

    fn sequence(&self) -> Option<[u8; 16]> {
        self.hold.as_ref().map(|hold| hold.id.bytes())
    }

    fn permit(&self) -> Option<&SharedPermit> {
        self.permit.as_ref()
    }

    fn leave(
        &mut self,
        end: DisconnectReason,
        handling: Option<JoinHandle<()>>,
        waiting: Vec<Incoming>,
    ) {
        self.has_left = true;
        if let Some(attendance) = self.client.attendance() {
            Arc::clone(attendance).end(comes_back(end));
        }
        let is_all_handled = waiting.is_empty();
        let handled = self.handle_all(waiting);
        let hold = self.hold.take().map(|hold| Held { hold, client: self.client.clone() });
        if self.handlers.disconnect.is_none() && handling.is_none() && is_all_handled {
            return;
        }
        // Without a runtime, everything has ended.
        let Ok(runtime) = Handle::try_current() else { return };
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
                drop(hold);
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

/// A hold that is left with its last message.
struct Held {
    hold: Box<Hold>,
    client: SignalClient,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.client.context().sequences.leave(&self.hold);
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
