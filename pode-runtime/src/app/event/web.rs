//! The event of a route: one request, and the server around it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use cookie::Cookie;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, Method, Uri};
use percent_encoding::percent_decode_str;
use pode_core::{ClientId, SignalTarget};

use crate::app::context::Context;
use crate::base::debug_form::debug_form;
use crate::base::error::EventError;
use crate::base::limits::Limits;
use crate::content::view::Views;
use crate::http::header::texts;
use crate::net::tls::certificate::ClientCertificate;

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
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) certificate: Option<ClientCertificate>,
    /// The path's parameters by name, decoded.
    pub(crate) parameters: Vec<(Arc<str>, String)>,
    pub(crate) limits: Limits,
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
        &self.request.method
    }

    /// Returns the path as sent: percent-encoded, without the query.
    pub fn path(&self) -> &str {
        self.request.uri.path()
    }

    /// Returns the query (the part after the `?`) as sent; empty if there is
    /// none.
    pub fn query(&self) -> &str {
        self.request.uri.query().unwrap_or_default()
    }

    /// Returns the headers. They are the same for each version of HTTP: `Host`
    /// is the requested host, and cookies are on one line.
    pub fn headers(&self) -> &HeaderMap {
        &self.request.headers
    }

    /// Returns the decoded value of a cookie; `None` if the browser sent no
    /// cookie of that name, or one that is not UTF-8.
    pub fn cookie(&self, name: &str) -> Option<String> {
        cookie(self.headers(), name)
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
    /// An error of status 400 if the header is missing, forged or belongs to
    /// another client; of status 404 if no such client is connected, or nobody
    /// can say in time.
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
    /// `None` if the server is embedded in an application that doesn't pass the
    /// address on.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.request.peer
    }

    /// Returns the certificate that the client presented. `None` if the
    /// endpoint's `client_certificate` requests none, or is `optional` and the
    /// client presented none.
    pub fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.request.certificate.as_ref()
    }

    /// Returns the decoded value of a path parameter; `None` if the route has
    /// no parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters();
        parameters.find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Returns the names and values of all path parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.request.parameters.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    pub(crate) fn limits(&self) -> Limits {
        self.request.limits
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

/// Returns the decoded value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    // Names aren't decoded: `%5F_Host-id`, which a page of a neighbouring
    // domain may set, would otherwise pass for `__Host-id`, which it may not
    // set.
    let encoded = Cookie::new(name, "").encoded().to_string();
    let is_meant = |found: &str| found == name || Some(found) == encoded.strip_suffix('=');
    texts(headers, COOKIE, b';')
        .filter_map(|cookie| cookie.split_once('='))
        .filter(|(found, _)| is_meant(found.trim()))
        .find_map(|(_, value)| percent_decode_str(value.trim()).decode_utf8().ok())
        .map(Cow::into_owned)
}

sending_methods!(WebEvent);

debug_form!(WebEvent, |it| {
    method: it.method(), uri: it.request.uri, peer_address: it.request.peer
});
