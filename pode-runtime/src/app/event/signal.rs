//! The event of a message from a client, and that client.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

use pode_core::level::Addressed;
use pode_core::{ClientId, Message, Parameters, Payload, SendError};
use serde::Serialize;
use tokio_util::task::TaskTracker;

use crate::app::context::Context;
use crate::app::presence::Attendance;
use crate::base::debug_form::debug_form;
use crate::base::error::EventError;
use crate::base::log::ration::rationed;
use crate::push::clients::Clients;
use crate::push::engine::{Answer, Audience, Envelope};
use crate::push::publisher::Sending;
use crate::push::session::Number;

/// A message from a client: the first argument of a signal's handler.
///
/// Named after Pode's `$SignalEvent`. `Out` is the type that the signal sends
/// to clients, so a reply of another type doesn't compile. Clones are cheap and
/// refer to the same message.
pub struct SignalEvent<Out> {
    client: SignalClient,
    number: Option<Number>,
    may_be_repeated: bool,
    out: PhantomData<fn() -> Out>,
}

impl<Out> SignalEvent<Out> {
    pub(crate) fn new(
        client: SignalClient,
        number: Option<Number>,
        may_be_repeated: bool,
    ) -> SignalEvent<Out> {
        SignalEvent { client, number, may_be_repeated, out: PhantomData }
    }

    /// Returns the client that sent the message.
    pub fn client(&self) -> &SignalClient {
        &self.client
    }

    /// Returns the number that the client gave the message, if it speaks `pode.v1`
    /// (`docs/protocol.md`) and did: 1 for its first message, 2 for the next one, below
    /// 2⁵³.
    ///
    /// Each is handled once, in order, over all connections of the client, all processes
    /// that hand over to each other, and all nodes of a backplane. When the handler has
    /// returned, or has failed, the client is told so, also by a server that stops; but not
    /// if the handler fails then and the client can't be told of that, as nothing is sent
    /// any more. A server that was started anew doesn't know which were handled before; see
    /// [`may_be_repeated`](Self::may_be_repeated).
    pub fn message_number(&self) -> Option<u64> {
        self.number.map(|Number { number, .. }| number)
    }

    /// Returns whether the message may have been handled before: its client has sent it
    /// already, to a process that has crashed, or was stopped before its handler was done,
    /// that has forgotten the client, or is a node which can't be asked. Only messages with
    /// a number are sent again.
    ///
    /// A handler whose effect must not happen twice then looks whether it has: so a
    /// message needs a mark of its own, which the effect keeps.
    pub fn may_be_repeated(&self) -> bool {
        self.may_be_repeated
    }

    /// Sends a payload to the client that sent the message; see
    /// [`Signals::send`](crate::push::publisher::Signals::send). If the message has a
    /// number, the reply says to which it is.
    pub fn reply(&self, payload: &Out) -> Sending<Addressed>
    where
        Out: Payload,
    {
        let answer = self.number.map(Answer::Reply);
        let audience = Audience { answer, ..self.client.audience() };
        let ClientInfo { signal, context, .. } = &*self.client.info;
        context.signals.send_to(signal, audience, payload)
    }

    fn context(&self) -> &Context {
        &self.client.info.context
    }
}

sending_methods!(SignalEvent<Out>);

/// A client of a signal: one WebSocket connection.
///
/// It may have disconnected by now: messages sent to it are then dropped, but for those
/// that a history keeps until it comes back [as the same](Sending::to_client).
/// Clones are cheap and refer to the same client.
#[derive(Clone)]
pub struct SignalClient {
    info: Arc<ClientInfo>,
}

pub(crate) struct ClientInfo {
    pub(crate) id: ClientId,
    /// The declared path.
    pub(crate) signal: &'static str,
    /// The client's own path within a family.
    pub(crate) path: Option<Arc<str>>,
    /// The values of its path's parameters: a tuple.
    pub(crate) parameters: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) peer: Option<SocketAddr>,
    /// The value that the connect handler set.
    pub(crate) state: Option<ClientState>,
    pub(crate) context: Arc<Context>,
    /// Present where others may be told of the client.
    pub(crate) attendance: Option<Arc<Attendance>>,
}

/// What the connect handler set for a client.
pub(crate) struct ClientState {
    value: Box<dyn Any + Send + Sync>,
    /// For the log.
    type_name: &'static str,
}

impl ClientState {
    pub(crate) fn new<T: Send + Sync + 'static>(value: T) -> ClientState {
        ClientState { value: Box::new(value), type_name: type_name::<T>() }
    }
}

impl SignalClient {
    pub(crate) fn new(info: ClientInfo) -> SignalClient {
        SignalClient { info: Arc::new(info) }
    }

    /// Returns its id.
    pub fn id(&self) -> &ClientId {
        &self.info.id
    }

    /// Returns the path that it is connected to.
    pub fn path(&self) -> &str {
        self.info.path.as_deref().unwrap_or(self.info.signal)
    }

    /// Returns the client's address; behind a proxy that is none of the
    /// endpoint's `trusted_proxies`, the proxy's.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.info.peer
    }

    /// Returns the value that the `on connect` handler set with
    /// [`set_state`](super::ConnectEvent::set_state).
    ///
    /// # Errors
    ///
    /// An error of status 500, if the handler set no value of this type; the log
    /// names the type.
    pub fn state<T: 'static>(&self) -> Result<&T, EventError> {
        let state = self.info.state.as_ref();
        state.and_then(|state| state.value.downcast_ref()).ok_or_else(|| {
            let sets = state.map(|state| format!("one of type `{}`", state.type_name));
            rationed!(
                error,
                signal = self.signal(),
                "a client has no state of type `{}`: `on connect` sets {}",
                type_name::<T>(),
                sets.as_deref().unwrap_or("none"),
            );
            EventError::new(500, "the server could not find what it needs for this")
        })
    }

    /// Changes what others are told of the client, or has it be present from now on, where
    /// the signal is declared with `presence`; see
    /// [`ConnectEvent::present`](super::ConnectEvent::present). Of a client that has gone,
    /// nothing is told.
    ///
    /// # Errors
    ///
    /// The signal is declared without `presence`, or this has no JSON form or more than
    /// 1,024 bytes; else as for [`Clients::join_group`].
    pub async fn present<T: Serialize + ?Sized>(&self, info: &T) -> Result<(), SendError> {
        match &self.info.attendance {
            Some(attendance) => attendance.tell(info).await,
            None => Err(SendError::NoPresence { path: self.signal() }),
        }
    }

    /// Adds the client to a group: it gets the messages that are sent there
    /// from now on.
    ///
    /// # Errors
    ///
    /// As for [`Clients::join_group`].
    pub async fn join_group(&self, group: &str) -> Result<(), SendError> {
        self.clients().join_group(self.id(), group).await
    }

    /// Removes the client from a group.
    ///
    /// # Errors
    ///
    /// As for [`Clients::leave_group`].
    pub async fn leave_group(&self, group: &str) -> Result<(), SendError> {
        self.clients().leave_group(self.id(), group).await
    }

    /// Returns the client's groups; empty if the client has disconnected.
    ///
    /// # Errors
    ///
    /// As for [`Clients::list`].
    pub async fn groups(&self) -> Result<Vec<String>, SendError> {
        self.clients().groups_of(self.id()).await
    }

    /// Closes the connection after the messages that were sent before; see
    /// [`Clients::close`].
    ///
    /// # Errors
    ///
    /// As for [`Clients::close`].
    pub async fn close(
        &self,
        code: u16,
        reason: impl Into<Cow<'static, str>>,
    ) -> Result<(), SendError> {
        self.clients().close(self.id(), code, reason).await
    }

    pub(crate) fn signal(&self) -> &'static str {
        self.info.signal
    }

    /// Returns the values of its path's parameters.
    pub(crate) fn parameters<P: Parameters>(&self) -> Option<P> {
        parameters(self.info.parameters.as_ref())
    }

    pub(crate) fn attendance(&self) -> Option<&Arc<Attendance>> {
        self.info.attendance.as_ref()
    }

    pub(crate) fn client_tasks(&self) -> &TaskTracker {
        &self.info.context.client_tasks
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.info.context
    }

    pub(crate) fn own_path(&self) -> Option<Arc<str>> {
        self.info.path.clone()
    }

    fn clients(&self) -> Clients {
        self.info.context.signals.clients_at(self.info.signal, self.own_path())
    }

    fn audience(&self) -> Audience {
        Audience::client(self.own_path(), self.id().clone())
    }

    /// Tells the client of its error, which is already encoded, in the message with
    /// this number.
    pub(crate) async fn tell_error(
        &self,
        message: Message,
        number: Option<Number>,
    ) -> Result<(), SendError> {
        let audience = Audience { answer: Some(Answer::Error(number)), ..self.audience() };
        let envelope = Envelope::new(audience, message);
        self.info.context.signals.post(self.info.signal, self.own_path().as_deref(), envelope).await
    }
}

/// Returns the parameter values as their tuple; without values, the empty
/// tuple.
pub(super) fn parameters<P: Parameters>(values: Option<&Arc<dyn Any + Send + Sync>>) -> Option<P> {
    let values: &dyn Any = match values {
        Some(values) => &**values,
        None => &(),
    };
    values.downcast_ref().cloned()
}

impl<Out> Clone for SignalEvent<Out> {
    fn clone(&self) -> Self {
        SignalEvent::new(self.client.clone(), self.number, self.may_be_repeated)
    }
}

debug_form!(SignalEvent<Out>, |it| { client: it.client });

debug_form!(SignalClient, |it| { id: it.id(), path: it.path() });
