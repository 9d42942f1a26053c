//! A client that is about to connect to a signal.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::client::Client;
use super::exchange::{Endpoints, Head, head_methods, read};
use super::json;
use super::patience::OrFail;
use super::response::Response;
use super::settling::Settling;
use super::socket::Socket;
use crate::net::upgraded::AnyStream;
use crate::push::clients::Clients;

/// A client of a signal, made by [`connect`](super::TestServer::connect); it
/// connects when this is awaited.
///
/// It goes to the first endpoint that serves the signal. By default it comes from no
/// page, and asks for `localhost` or for the first of the endpoint's `hosts`.
///
/// # Panics
///
/// When awaited: what was given isn't valid, the server refuses the client, or
/// nothing comes in time.
#[must_use = "a client connects when it is awaited"]
pub struct Connect<Out, In> {
    pub(super) endpoints: Endpoints,
    pub(super) head: Head,
    /// The names of the endpoints that serve the signal; empty means all.
    pub(super) served_at: &'static [&'static str],
    pub(super) clients: Clients,
    pub(super) settling: Arc<Settling>,
    pub(super) payload: PhantomData<fn(In) -> Out>,
}

head_methods!(Connect<Out, In>);

impl<Out, In> Connect<Out, In> {
    /// Offers a subprotocol, after those that were offered before.
    pub fn subprotocol(self, subprotocol: &str) -> Self {
        self.header(SEC_WEBSOCKET_PROTOCOL.as_str(), subprotocol)
    }

    /// Connects, expecting to be refused, and returns the refusal.
    ///
    /// # Panics
    ///
    /// The server admits the client.
    pub async fn refused(self) -> Response {
        let (patience, what) = (self.head.patience, self.what());
        let refused = async {
            let (response, _) = self.shake_hands().await;
            match response.status() {
                StatusCode::SWITCHING_PROTOCOLS => {
                    patience.fail(format_args!("expected a refusal {what}, but the client is in"))
                }
                _ => read(response, &what, patience).await,
            }
        };
        patience.wait(format!("the refusal {what}"), refused).await
    }

    /// Begins another one like it.
    pub(super) fn again(&self) -> Connect<Out, In> {
        Connect {
            endpoints: self.endpoints.clone(),
            head: self.head.clone(),
            served_at: self.served_at,
            clients: self.clients.clone(),
            settling: Arc::clone(&self.settling),
            payload: PhantomData,
        }
    }

    pub(super) async fn connect(self) -> Client<Out, In> {
        let (patience, deadline) = (self.head.patience, self.endpoints.deadline);
        let (what, settling, clients) =
            (self.what(), Arc::clone(&self.settling), self.clients.clone());
        let connected = async {
            let (response, accept) = self.shake_hands().await;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                let refused = read(response, &what, patience).await;
                let (status, text) = (refused.status, json::shown(&refused.body));
                patience.fail(format_args!("the client is refused {what}: {status}: {text}"));
            }
            let headers = response.headers().clone();
            if headers.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|it| it != accept.as_str()) {
                patience.fail(format_args!("the handshake {what} is answered wrongly"));
            }
            let upgraded = hyper::upgrade::on(response).await;
            let upgraded = upgraded.or_fail(patience, "the client is lost in the handshake");
            let stream: Box<dyn AnyStream> = Box::new(TokioIo::new(upgraded));
            // The server's limits are to be tested, not those of this client.
            let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
            let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
            (headers, Socket::hold(socket, what.clone()))
        };
        let (headers, socket) = patience.wait(format!("a handshake {what}"), connected).await;
        let client = Client { socket, headers, settling, deadline, payload: PhantomData };
        client.settling.admit(client.socket.link(), clients, client.plain_id());
        client
    }

    /// Returns what a failure calls it.
    fn what(&self) -> String {
        format!("on `{}`", self.head.target)
    }

    /// Sends the handshake, and returns the response with the proof that it needs.
    async fn shake_hands(mut self) -> (http::Response<Incoming>, String) {
        let key = generate_key();
        for (name, value) in [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", &key),
        ] {
            self.head.default_header(name, value);
        }
        let key = self.head.headers[SEC_WEBSOCKET_KEY].clone();
        let chosen = self.head.endpoint.as_deref();
        let names = chosen.as_ref().map_or(self.served_at, std::slice::from_ref);
        let endpoint = self.endpoints.find(true, names, self.head.patience);
        let response = self.head.clone().send(endpoint, Bytes::new()).await;
        (response, derive_accept_key(key.as_bytes()))
    }
}

impl<Out: 'static, In: 'static> IntoFuture for Connect<Out, In> {
    type Output = Client<Out, In>;
    type IntoFuture = Pin<Box<dyn Future<Output = Client<Out, In>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connect())
    }
}

// A derive would require the same of the payload types.
impl<Out, In> std::fmt::Debug for Connect<Out, In> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").field("head", &self.head).finish_non_exhaustive()
    }
}
