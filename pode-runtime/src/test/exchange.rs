//! One HTTP exchange: where it goes, what is sent, and what comes back.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cookie::Cookie;
use http::header::{COOKIE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pode_core::Protocol;
use serde::Serialize;

use super::identity::Identity;
use super::json::name;
use super::patience::{OrFail, Patience};
use super::response::Response;
use super::stream;

/// The endpoints of a server, as a test finds them.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    pub(super) all: Arc<[Endpoint]>,
    pub(super) deadline: Duration,
}

/// An endpoint of a test server.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) name: Option<&'static str>,
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
    /// The host that is asked for.
    pub(super) host: String,
}

impl Endpoints {
    /// Returns the first endpoint, or the first of these names.
    pub(super) fn find(&self, signals: bool, names: &[&str], patience: Patience) -> &Endpoint {
        let is_meant = |it: &&Endpoint| {
            it.protocol.serves_signals() == signals
                && (names.is_empty() || it.name.is_some_and(|name| names.contains(&name)))
        };
        self.all.iter().find(is_meant).unwrap_or_else(|| {
            let what = if signals { "signals" } else { "requests" };
            let named = names.iter().map(|name| format!(" `{name}`")).collect::<String>();
            let all = self.all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            patience.fail(format_args!("no endpoint{named} takes {what}; there are: {all}"))
        })
    }
}

impl Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(name) = self.name {
            write!(f, "{name} ")?;
        }
        write!(f, "{}://{}", self.protocol, self.address)
    }
}

/// What a request and a handshake have in common.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) endpoint: Option<String>,
    pub(super) identity: Option<Identity>,
    pub(super) patience: Patience,
}

/// Writes the methods of what has a [`Head`] in its field `head`.
macro_rules! head_methods {
    ($Type:ident $(<$First:ident, $Second:ident>)?) => {
        impl$(<$First, $Second>)? $Type$(<$First, $Second>)? {
            /// Adds a header.
            pub fn header(mut self, name: &str, value: &str) -> Self {
                self.head.header(name, value);
                self
            }

            /// Adds a cookie; its value is percent-encoded.
            pub fn cookie(mut self, name: &str, value: &str) -> Self {
                self.head.cookie(name, value);
                self
            }

            /// Says of which site's page it comes: `https://shop.example`.
            pub fn origin(self, origin: &str) -> Self {
                self.header(http::header::ORIGIN.as_str(), origin)
            }

            /// Adds a query: a struct, or pairs such as `[("name", "Ada")]`.
            pub fn query<T: serde::Serialize + ?Sized>(mut self, query: &T) -> Self {
                self.head.query(query);
                self
            }

            /// Goes to the endpoint of this name.
            pub fn endpoint(mut self, name: &str) -> Self {
                self.head.endpoint = Some(name.to_owned());
                self
            }

            /// Shows a client's certificate to an `https` or `wss` endpoint; the files are PEM, and
            /// relative to the working directory.
            pub fn client_certificate(
                mut self,
                chain: impl Into<std::path::PathBuf>,
                key: impl Into<std::path::PathBuf>,
            ) -> Self {
                self.head.identity = Some($crate::test::identity::Identity { chain: chain.into(), key: key.into() });
                self
            }
        }
    };
}

pub(super) use head_methods;

impl Head {
    pub(super) fn new(method: Method, path: &str, patience: Patience) -> Head {
        if !path.starts_with('/') {
            patience.fail(format_args!("{path:?} is no path: it doesn't begin with `/`"));
        }
        let (headers, endpoint, identity) = (HeaderMap::new(), None, None);
        Head { method, target: path.to_owned(), headers, endpoint, identity, patience }
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        let header = name.parse::<HeaderName>();
        let header = header.or_fail(self.patience, format_args!("`{name}` is no header"));
        let parsed = value.parse::<HeaderValue>();
        let value =
            parsed.or_fail(self.patience, format_args!("{value:?} is no value of `{name}`"));
        self.headers.append(header, value);
    }

    /// Adds a header of the kit, unless the test has set that itself.
    pub(super) fn default_header(&mut self, name: &str, value: &str) {
        if !self.headers.contains_key(name) {
            self.header(name, value);
        }
    }

    pub(super) fn cookie(&mut self, name: &str, value: &str) {
        let mut cookies = Cookie::new(name, value).encoded().to_string();
        if let Some(Ok(earlier)) = self.headers.remove(COOKIE).as_ref().map(HeaderValue::to_str) {
            cookies = format!("{earlier}; {cookies}");
        }
        self.header(COOKIE.as_str(), &cookies);
    }

    pub(super) fn query<T: Serialize + ?Sized>(&mut self, query: &T) {
        let written = serde_html_form::to_string(query);
        let what = format_args!("no query is made of {}", name::<T>());
        let sign = if self.target.contains('?') { '&' } else { '?' };
        self.target = format!("{}{sign}{}", self.target, written.or_fail(self.patience, what));
    }

    /// Sends it to an endpoint, and returns what is answered.
    pub(super) async fn send(self, to: &Endpoint, body: Bytes) -> http::Response<Incoming> {
        let Head { method, target, mut headers, identity, patience, .. } = self;
        let secure = to.protocol.is_secure().then_some(&*to.host);
        let stream = stream::connect(to.address, secure, identity.as_ref(), patience).await;
        let host = format!("{}:{}", to.host, to.address.port());
        headers.entry(HOST).or_insert(host.parse().or_fail(patience, "this is no host"));
        let mut request = http::Request::new(Full::new(body));
        *request.uri_mut() =
            target.parse().or_fail(patience, format_args!("{target:?} is no path"));
        (*request.method_mut(), *request.headers_mut()) = (method, headers);
        let what = "the server doesn't answer";
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut requests, connection) = handshake.or_fail(patience, what);
        // It ends with the response, or with what it is upgraded to.
        tokio::spawn(connection.with_upgrades());
        requests.send_request(request).await.or_fail(patience, what)
    }
}

/// Reads the whole response to what was asked.
pub(super) async fn read(
    response: http::Response<Incoming>,
    asked: &str,
    patience: Patience,
) -> Response {
    let (head, body) = response.into_parts();
    let body = body.collect().await.or_fail(patience, "the response breaks off");
    Response {
        asked: asked.to_owned(),
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    }
}
