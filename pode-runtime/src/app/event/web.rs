//! The event of a route: one request, and the server around it.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use cookie::Cookie;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, Method, Uri};
use percent_encoding::percent_decode_str;
use pode_core::{ClientId, SignalTarget};

use crate::app::context::Context;
use crate::base::error::EventError;
use crate::base::limits::BodyLimits;
use crate::content::view::Views;
use crate::http::header::texts;
use crate::net::tls::certificate::ClientCertificate;

/// A request that a route answers: the first argument of its handler.
///
/// Named after Pode's `$WebEvent`. It is a handle: clones are cheap and mean
/// the same request. The body is not part of it, but comes to the handler as
/// an argument of the route.
#[derive(Clone)]
pub struct WebEvent {
    request: Arc<WebRequest>,
}

/// What an event is made of.
pub(crate) struct WebRequest {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) certificate: Option<ClientCertificate>,
    /// The path's parameters by name, decoded.
    pub(crate) parameters: Vec<(Arc<str>, String)>,
    pub(crate) body_limits: BodyLimits,
    pub(crate) context: Arc<Context>,
}

/// The header by which a client tells its id.
pub(crate) const CLIENT_ID: HeaderName = HeaderName::from_static("x-pode-signal-client-id");

impl WebEvent {
    pub(crate) fn new(request: WebRequest) -> WebEvent {
        WebEvent { request: Arc::new(request) }
    }

    /// Returns the method of the request; HEAD comes to GET routes as HEAD.
    pub fn method(&self) -> &Method {
        &self.request.method
    }

    /// Returns the path as it travelled: percent-encoded, without the query.
    pub fn path(&self) -> &str {
        self.request.uri.path()
    }

    /// Returns what stands behind the `?`, as it travelled; empty if nothing
    /// does.
    pub fn query(&self) -> &str {
        self.request.uri.query().unwrap_or_default()
    }

    /// Returns the headers, which are the same by each version of HTTP: `Host` is
    /// the host that was asked, and cookies stand on one line.
    pub fn headers(&self) -> &HeaderMap {
        &self.request.headers
    }

    /// Returns the value of a cookie, decoded; `None` if the browser sent none
    /// of that name, or one that is no UTF-8.
    pub fn cookie(&self, name: &str) -> Option<String> {
        cookie(self.headers(), name)
    }

    /// Returns the client of a signal that sends this request: pages and
    /// programs tell it by the header `X-Pode-Signal-Client-Id`, whose value
    /// they were given when they connected. So a request can be answered over
    /// the client's WebSocket:
    /// `event.send(CHAT, &answer).to_client(&client).await`.
    ///
    /// Without `client_ids: signed_by(…)` whoever knows an id may speak for its
    /// client; those that the server makes can't be guessed.
    ///
    /// # Errors
    ///
    /// An error of status 400 if the header is missing, forged or somebody
    /// else's; of 404 if no such client is connected.
    pub async fn signal_client<S: SignalTarget>(&self, signal: S) -> Result<ClientId, EventError> {
        let Some(given) = self.headers().get(CLIENT_ID) else {
            return Err(EventError::new(400, "the header `X-Pode-Signal-Client-Id` is missing"));
        };
        let address = self.request.peer.map(|peer| peer.ip());
        let ids = &self.context().client_ids;
        let id =
            given.to_str().ok().and_then(|given| ids.take_back(given, self.headers(), address));
        let Some(id) = id else {
            return Err(EventError::new(400, "the header `X-Pode-Signal-Client-Id` is not valid"));
        };
        match self.clients(signal).contains(&id).await {
            Ok(true) => Ok(id),
            _ => Err(EventError::new(404, "no such client is connected")),
        }
    }

    /// Returns the address the request came from; behind a proxy, the proxy's.
    /// `None` where the server is a part of another that doesn't tell it.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.request.peer
    }

    /// Returns the certificate that the client has shown; `None` if the
    /// endpoint's `client_certificate` asks for none, or is `optional`, and it
    /// has shown none.
    pub fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.request.certificate.as_ref()
    }

    /// Returns what the path holds for a parameter, decoded; `None` if the
    /// route has no parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters();
        parameters.find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Returns the names and values of all path parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.request.parameters.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    pub(crate) fn body_limits(&self) -> BodyLimits {
        self.request.body_limits
    }

    fn context(&self) -> &Context {
        &self.request.context
    }

    pub(crate) fn views(&self) -> Option<&Views> {
        self.context().views.as_ref()
    }

    pub(crate) fn policy(&self) -> &'static str {
        self.context().policy
    }
}

/// Returns the value of a cookie, decoded.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    // Names aren't decoded: `%5F_Host-id`, which a page of a neighbouring domain
    // may set, would else pass for `__Host-id`, which it may not.
    let encoded = Cookie::new(name, "").encoded().to_string();
    let is_meant = |found: &str| found == name || Some(found) == encoded.strip_suffix('=');
    texts(headers, COOKIE, b';')
        .filter_map(|cookie| cookie.split_once('='))
        .filter(|(found, _)| is_meant(found.trim()))
        .find_map(|(_, value)| percent_decode_str(value.trim()).decode_utf8().ok())
        .map(Cow::into_owned)
}

sending_methods!(WebEvent);

impl fmt::Debug for WebEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebEvent")
            .field("method", self.method())
            .field("uri", &self.request.uri)
            .field("peer_address", &self.request.peer)
            .finish_non_exhaustive()
    }
}
