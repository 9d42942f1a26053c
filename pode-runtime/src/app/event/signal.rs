//! The event of a message that a client sent, and who that is.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

use pode_core::level::Addressed;
use pode_core::{ClientId, Message, Parameters, Payload, SendError};
use tokio_util::task::TaskTracker;

use crate::app::context::Context;
use crate::base::error::EventError;
use crate::push::clients::Clients;
use crate::push::engine::{Audience, Envelope};
use crate::push::publisher::Sending;

/// A message from a client: the first argument of a signal's handler.
///
/// Named after Pode's `$SignalEvent`. `Out` is what the signal sends to
/// clients, so an answer of another type doesn't compile. Clones are cheap and
/// mean the same message.
pub struct SignalEvent<Out> {
    client: SignalClient,
    out: PhantomData<fn() -> Out>,
}

impl<Out> SignalEvent<Out> {
    pub(crate) fn new(client: SignalClient) -> SignalEvent<Out> {
        SignalEvent { client, out: PhantomData }
    }

    /// Returns the client that sent the message.
    pub fn client(&self) -> &SignalClient {
        &self.client
    }

    /// Sends a payload to the client that sent the message; see
    /// [`Signals::send`](crate::push::publisher::Signals::send).
    pub fn reply(&self, payload: &Out) -> Sending<Addressed>
    where
        Out: Payload,
    {
        self.client.send(payload)
    }

    fn context(&self) -> &Context {
        &self.client.info.context
    }
}

sending_methods!(SignalEvent<Out>);

/// A client of a signal: one WebSocket connection.
///
/// It may have gone by now: what is sent to it then goes nowhere. Clones are
/// cheap and mean the same client.
#[derive(Clone)]
pub struct SignalClient {
    info: Arc<ClientInfo>,
}

pub(crate) struct ClientInfo {
    pub(crate) id: ClientId,
    /// The path as declared.
    pub(crate) signal: &'static str,
    /// Its own path, of a family.
    pub(crate) path: Option<Arc<str>>,
    /// The values of its path's parameters: a tuple.
    pub(crate) parameters: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) peer: Option<SocketAddr>,
    /// What the handler of its connection made of it, with the type's name.
    pub(crate) state: Option<Box<dyn Any + Send + Sync>>,
    pub(crate) context: Arc<Context>,
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

    /// Returns the address it came from; behind a proxy, the proxy's.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.info.peer
    }

    /// Returns what the handler of `on connect` set by
    /// [`set_state`](super::ConnectEvent::set_state).
    ///
    /// # Errors
    ///
    /// An error of status 500 that names the type, if it set none of it.
    pub fn state<T: 'static>(&self) -> Result<&T, EventError> {
        let state = self.info.state.as_ref().and_then(|state| state.downcast_ref());
        state.ok_or_else(|| {
            let text = format!("the client has no state of type `{}`", type_name::<T>());
            EventError::new(500, text)
        })
    }

    /// Puts the client into a group: it gets what is sent there from now on.
    ///
    /// # Errors
    ///
    /// As for [`Clients::join_group`].
    pub async fn join_group(&self, group: &str) -> Result<(), SendError> {
        self.clients().join_group(self.id(), group).await
    }

    /// Takes the client out of a group.
    ///
    /// # Errors
    ///
    /// As for [`Clients::leave_group`].
    pub async fn leave_group(&self, group: &str) -> Result<(), SendError> {
        self.clients().leave_group(self.id(), group).await
    }

    /// Returns the groups that it is in; none if it has gone.
    ///
    /// # Errors
    ///
    /// As for [`Clients::list`].
    pub async fn groups(&self) -> Result<Vec<String>, SendError> {
        self.clients().groups_of(self.id()).await
    }

    /// Closes the connection, behind what was sent before; see
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

    fn send<Out: Payload>(&self, payload: &Out) -> Sending<Addressed> {
        let audience = Audience::client(self.own_path(), self.id().clone());
        self.info.context.signals.send_to(self.info.signal, audience, payload)
    }

    /// Sends what is ready to be sent.
    pub(crate) async fn tell(&self, message: Message) -> Result<(), SendError> {
        let audience = Audience::client(self.own_path(), self.id().clone());
        let envelope = Envelope::new(audience, message);
        self.info.context.signals.post(self.info.signal, self.own_path().as_deref(), envelope).await
    }
}

/// Returns values as the tuple that they are; without any, that is the empty
/// one.
pub(super) fn parameters<P: Parameters>(values: Option<&Arc<dyn Any + Send + Sync>>) -> Option<P> {
    let values: &dyn Any = match values {
        Some(values) => &**values,
        None => &(),
    };
    values.downcast_ref().cloned()
}

impl<Out> Clone for SignalEvent<Out> {
    fn clone(&self) -> Self {
        SignalEvent::new(self.client.clone())
    }
}

impl<Out> fmt::Debug for SignalEvent<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalEvent").field("client", &self.client).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignalClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalClient")
            .field("id", self.id())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
