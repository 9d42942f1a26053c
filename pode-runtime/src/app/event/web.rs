//! The event of a route: one request, and the server around it.

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderName, Method};
use pode_core::{ClientId, SignalTarget};

use super::head::{RequestHead, request_methods};
use crate::app::client_ids::Holder;
use crate::app::context::Context;
use crate::base::debug_form::debug_form;
use crate::base::error::EventError;
use crate::base::limits::BodyLimits;
#[cfg(feature = "views")]
use crate::content::position::Positions;
#[cfg(feature = "views")]
use crate::content::view::Views;

/// A request that a route answers: the first argument of its handler.
///
/// Named after Pode's `$WebEvent`. It is a handle: clones are cheap and refer
/// to the same request. The body is not part of it; the handler gets the body
/// as an argument of the route.
#[derive(Clone)]
pub struct WebEvent {
    request: Arc<WebRequest>,
}

/// The data of an event.
pub(crate) struct WebRequest {
    pub(crate) head: RequestHead,
    /// The names of the path's parameters, from left to right.
    pub(crate) names: Arc<[Arc<str>]>,
    /// Their values, decoded.
    pub(crate) values: Vec<String>,
    pub(crate) limits: BodyLimits,
    pub(crate) context: Arc<Context>,
}

/// The header in which a client sends its id.
pub(crate) const CLIENT_ID: HeaderName = HeaderName::from_static("x-pode-signal-client-id");

impl WebEvent {
    pub(crate) fn new(request: WebRequest) -> WebEvent {
        WebEvent { request: Arc::new(request) }
    }

    /// Returns the method of the request. GET routes get HEAD requests as HEAD.
    pub fn method(&self) -> &Method {
        &self.head().method
    }

    /// Returns the client of a signal that sends this request. Pages and
    /// programs send its id in the header `X-Pode-Signal-Client-Id`; they got
    /// the value when they connected. So a handler can answer a request over
    /// the client's WebSocket:
    /// `event.send(CHAT, &answer).to_client(&client).await`.
    ///
    /// Without `client_ids: signed_by(…)` anyone who knows an id can speak for
    /// its client. The ids that the server generates can't be guessed.
    ///
    /// # Errors
    ///
    /// An error of status 400 if the header is missing, forged, expired, or was
    /// given out to another client or for another path; of status 404 if no
    /// such client is connected, or nobody can say in time.
    pub async fn signal_client<S: SignalTarget>(&self, signal: S) -> Result<ClientId, EventError> {
        let Some(given) = self.headers().get(CLIENT_ID) else {
            return Err(EventError::new(400, "the header `X-Pode-Signal-Client-Id` is missing"));
        };
        let holder = Holder {
            signal: signal.declared_path(),
            path: signal.concrete_path().map(AsRef::as_ref),
            headers: Some(self.headers()),
            address: self.peer_address().map(|peer| peer.ip()),
        };
        let ids = &self.context().client_ids;
        let read = |given| ids.take_back(given, &holder, SystemTime::now());
        let Some(id) = given.to_str().ok().and_then(read) else {
            return Err(EventError::new(400, "the header `X-Pode-Signal-Client-Id` is not valid"));
        };
        match self.clients(signal).contains(&id).await {
            Ok(true) => Ok(id),
            _ => Err(EventError::new(404, "no such client is connected")),
        }
    }

    /// Returns the decoded value of a path parameter; `None` if the route has
    /// no parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters();
        parameters.find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Returns the names and values of all path parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.request.names.iter().map(AsRef::as_ref);
        names.zip(self.request.values.iter().map(String::as_str))
    }

    pub(crate) fn limits(&self) -> BodyLimits {
        self.request.limits
    }

    fn head(&self) -> &RequestHead {
        &self.request.head
    }

    fn context(&self) -> &Context {
        &self.request.context
    }

    #[cfg(feature = "views")]
    pub(crate) fn views(&self) -> Option<&Views> {
        self.context().views.as_ref()
    }

    #[cfg(feature = "views")]
    pub(crate) fn positions(&self) -> &Positions {
        &self.context().positions
    }

    pub(crate) fn policy(&self) -> &'static str {
        self.context().policy
    }
}

impl AsRef<Context> for WebEvent {
    fn as_ref(&self) -> &Context {
        self.context()
    }
}

request_methods!(WebEvent);
sending_methods!(WebEvent);

debug_form!(WebEvent, |it| {
    method: it.method(), uri: it.head().uri, peer_address: it.peer_address()
});
