//! The events of a client that connects, and of one that has disconnected.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::header::SEC_WEBSOCKET_PROTOCOL;
use pode_core::{ClientId, Message, Parameters, Payload, SendError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::SignalClient;
use super::head::{RequestHead, request_methods};
use super::signal::{ClientState, parameters};
use crate::app::client_ids::Holder;
use crate::app::context::Context;
use crate::app::presence::info_of;
use crate::base::debug_form::debug_form;
use crate::base::error::EventError;
use crate::base::log::ration::rationed;
use crate::http::decode::fields;
use crate::http::header::texts;
use crate::push::engine::Groups;
use crate::push::session::DisconnectReason;

/// A client that asks to connect: the argument of `on connect CHAT => …`.
///
/// The handler looks at the request. It may set the client's id, add the client
/// to groups, and queue greetings for it. An error that it returns refuses the
/// client: an [`EventError`] with its status, any other error with 500. The
/// client is not admitted yet: it gets no messages that are sent while the
/// handler runs, and gets those sent after the handler is done. `Out` is the
/// type that the signal sends.
///
/// If the client disconnects meanwhile, the handler still runs to its end. If
/// it admits the client, `on disconnect` runs at once; if it refuses the
/// client, `on disconnect` doesn't run. So an action that `on disconnect` is to
/// undo belongs at the end of the handler, with nothing after it that can fail.
///
/// The request isn't kept with the client. If message handlers need any of it,
/// such as the client's certificate, keep that with
/// [`set_state`](Self::set_state).
///
/// Clones are cheap and refer to the same client.
pub struct ConnectEvent<Out> {
    request: Arc<ConnectRequest>,
    out: PhantomData<fn() -> Out>,
}

/// A client that has disconnected: the argument of `on disconnect CHAT => …`.
///
/// Each admitted client has exactly one such event, after all its messages were
/// handled. A client that has come back meanwhile, by a ticket of `pode.v1` or under an
/// id that was set, is connected again by then, with the same id, and its `on connect`
/// has run already: what is put down by id there, and removed here, must be counted.
#[derive(Clone, Debug)]
pub struct DisconnectEvent {
    client: SignalClient,
    reason: DisconnectReason,
}

/// The data of the event of a client that connects.
pub(crate) struct ConnectRequest {
    /// The values of its path's parameters: a tuple.
    pub(crate) parameters: Option<Arc<dyn Any + Send + Sync>>,
    /// The declared path of the signal.
    pub(crate) signal: &'static str,
    /// The client's own path within a family.
    pub(crate) path: Option<Arc<str>>,
    pub(crate) head: RequestHead,
    pub(crate) context: Arc<Context>,
    /// What the handler decides. The handler may call from several tasks.
    pub(crate) decision: Mutex<ConnectDecision>,
}

/// The connect handler's decision about a client.
pub(crate) struct ConnectDecision {
    pub(crate) id: ClientId,
    pub(crate) groups: Groups,
    pub(crate) greeting: Vec<Message>,
    pub(crate) state: Option<ClientState>,
    pub(crate) protocol: Option<String>,
    /// What others are told of the client, as JSON.
    pub(crate) info: Option<Arc<str>>,
}

impl ConnectDecision {
    /// Begins with nothing but the id.
    pub(crate) fn of(id: ClientId) -> ConnectDecision {
        let (groups, greeting) = (Groups::default(), Vec::new());
        ConnectDecision { id, groups, greeting, state: None, protocol: None, info: None }
    }

    /// Takes the decision; the id stays.
    pub(crate) fn take(&mut self) -> ConnectDecision {
        let id = self.id.clone();
        std::mem::replace(self, ConnectDecision::of(id))
    }
}

impl ConnectRequest {
    pub(crate) fn decision(&self) -> MutexGuard<'_, ConnectDecision> {
        // No code that holds the lock can panic midway.
        self.decision.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the client's id in the form that the client sends with requests.
    pub(crate) fn signed_id(&self) -> String {
        let id = &self.decision().id;
        self.context.client_ids.give_out(id, &self.holder(), SystemTime::now())
    }

    /// Returns to whom ids and tickets are given.
    pub(crate) fn holder(&self) -> Holder<'_> {
        Holder {
            signal: self.signal,
            path: self.path.as_deref(),
            headers: Some(&self.head.headers),
            address: self.head.peer.map(|peer| peer.ip()),
        }
    }

    /// Returns the values of its path's parameters.
    pub(crate) fn parameters<P: Parameters>(&self) -> Option<P> {
        parameters(self.parameters.as_ref())
    }

    /// Returns the subprotocols that the client offers to the program, most preferred
    /// first.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = &str> {
        let is_own = |name: &&str| !name.is_empty() && !name.starts_with("pode.");
        offered_protocols(&self.head).filter(is_own)
    }
}

/// Returns all subprotocols that a client offers.
pub(crate) fn offered_protocols(head: &RequestHead) -> impl Iterator<Item = &str> {
    texts(&head.headers, SEC_WEBSOCKET_PROTOCOL, b',')
}

impl<Out> ConnectEvent<Out> {
    pub(crate) fn new(request: Arc<ConnectRequest>) -> ConnectEvent<Out> {
        ConnectEvent { request, out: PhantomData }
    }

    /// Reads the query as the argument `query` of a route does:
    /// `let Guest { name } = event.read_query()?;`
    ///
    /// # Errors
    ///
    /// An error of status 400 that names the invalid field.
    pub fn read_query<T: DeserializeOwned>(&self) -> Result<T, EventError> {
        fields("query", self.query().as_bytes())
    }

    /// Returns the client's id: a UUID (version 7) unless one was set.
    pub fn client_id(&self) -> ClientId {
        self.request.decision().id.clone()
    }

    /// Sets the client's id. When the client is admitted, a client already
    /// connected under this id is closed (1008), so that an id means one
    /// client.
    pub fn set_client_id(&self, id: ClientId) {
        self.request.decision().id = id;
    }

    /// Returns the client's id in the form that the client sends with requests:
    /// signed, if the server declares `client_ids: signed_by(…)`. Browsers
    /// don't let pages read the handshake header that carries it; a greeting
    /// can carry it instead.
    pub fn signed_client_id(&self) -> String {
        self.request.signed_id()
    }

    /// Adds the client to a group. With more than 1,000 groups, or a name of
    /// more than 1,024 bytes, the client is refused (400). The response tells the
    /// client its groups, separated by commas, in the header
    /// `X-Pode-Signal-Group`, if they have at most 2,048 bytes together.
    pub fn join_group(&self, group: &str) {
        self.request.decision().groups.add(group.into());
    }

    /// Keeps one value of any type with the client, for
    /// [`SignalClient::state`].
    pub fn set_state<T: Send + Sync + 'static>(&self, state: T) {
        self.request.decision().state = Some(ClientState::new(state));
    }

    /// Queues a greeting, which the client gets before any other message.
    /// Several greetings keep their order.
    ///
    /// # Errors
    ///
    /// An error of status 500 if the payload has no JSON form.
    pub fn greet(&self, payload: &Out) -> Result<(), EventError>
    where
        Out: Payload,
    {
        let message = payload.encode();
        let message = message.map_err(|error| EventError::new(500, error.to_string()))?;
        self.request.decision().greeting.push(message);
        Ok(())
    }

    /// Has the client be present at its path, where the signal is declared with
    /// `presence`: others that speak `pode.v1` are told its id and this of it, as JSON of
    /// at most 1,024 bytes, when it comes; and when it has gone. Of several calls, the last
    /// counts; [`SignalClient::present`] changes what is told later.
    ///
    /// Whoever speaks `pode.v1` is so told the ids of others: where a route trusts an id,
    /// the server signs ids (`client_ids`).
    ///
    /// # Errors
    ///
    /// An error of status 400 if it is longer; of status 500 if the signal is declared
    /// without `presence`, which the log says, or if it has no JSON form.
    pub fn present<T: Serialize + ?Sized>(&self, info: &T) -> Result<(), EventError> {
        let signal = self.request.signal;
        let info = info_of(&self.request.context.signals, signal, info);
        let info = info.map_err(|error| {
            let status = if let SendError::Info { .. } = error { 400 } else { 500 };
            rationed!(error, signal, "a client can't be present: {error}");
            EventError::new(status, error.to_string())
        })?;
        self.request.decision().info = Some(info);
        Ok(())
    }

    /// Returns the subprotocols that the client offers, most preferred first
    /// (RFC 6455, section 1.9), but for those that begin with `pode.`.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.request.protocols()
    }

    /// Chooses one of the subprotocols that the client offers. Without this
    /// call no subprotocol is used; Chromium then disconnects a page that
    /// offers some, with 1006. A client that offers `pode.v1` speaks that, whatever is
    /// chosen here.
    ///
    /// # Errors
    ///
    /// An error of status 400 if the client doesn't offer it.
    pub fn choose_protocol(&self, name: &str) -> Result<(), EventError> {
        if !self.protocols().any(|offered| offered == name) {
            let text = format!("a client of this signal speaks the subprotocol {name:?}");
            return Err(EventError::new(400, text));
        }
        self.request.decision().protocol = Some(name.to_owned());
        Ok(())
    }

    fn head(&self) -> &RequestHead {
        &self.request.head
    }

    fn context(&self) -> &Context {
        &self.request.context
    }
}

request_methods!(ConnectEvent<Out>);
sending_methods!(ConnectEvent<Out>);

impl DisconnectEvent {
    pub(crate) fn new(client: SignalClient, reason: DisconnectReason) -> DisconnectEvent {
        DisconnectEvent { client, reason }
    }

    /// Returns the client that has disconnected. It is in no group any more.
    pub fn client(&self) -> &SignalClient {
        &self.client
    }

    /// Returns why the client has disconnected.
    pub fn reason(&self) -> DisconnectReason {
        self.reason
    }

    fn context(&self) -> &Context {
        self.client.context()
    }
}

sending_methods!(DisconnectEvent);

impl<Out> Clone for ConnectEvent<Out> {
    fn clone(&self) -> Self {
        ConnectEvent::new(Arc::clone(&self.request))
    }
}

debug_form!(ConnectEvent<Out>, |it| { path: it.path(), peer_address: it.peer_address() });
