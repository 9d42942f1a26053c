//! A client of a signal.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use pode_core::ClientId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_tungstenite::tungstenite::Message;

use super::json;
use super::patience::Patience;
use super::settling::Settling;
use super::socket::{Closed, Socket};
use crate::app::event::CLIENT_ID;

/// A client of a signal that sends `Out` and takes `In`, as a test holds it.
///
/// It always reads, so nothing that the test does or leaves slows its server. What
/// comes is kept in its order until the test asks for it. Dropping the client cuts its
/// connection; [`close`](Self::close) ends it properly.
///
/// # Panics
///
/// Each method that waits does so for the server's
/// [`deadline`](super::Start::deadline). Then it panics, as it does when something
/// else comes; the message says what was expected where, and what came.
pub struct Client<Out, In> {
    pub(super) socket: Socket,
    /// Of the response to the handshake.
    pub(super) headers: HeaderMap,
    pub(super) settling: Arc<Settling>,
    pub(super) deadline: Duration,
    pub(super) payload: PhantomData<fn(In) -> Out>,
}

impl<Out, In> Client<Out, In> {
    /// Returns the client's id as it was given out, signed if the server signs ids;
    /// a page sends it back in `X-Pode-Signal-Client-Id` ([`as_client`](super::Request::as_client)).
    pub fn id(&self) -> &str {
        self.headers.get(CLIENT_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
    }

    /// Returns the headers of the response to the handshake.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the subprotocol that the server has chosen.
    pub fn subprotocol(&self) -> Option<&str> {
        self.headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|chosen| chosen.to_str().ok())
    }

    /// Sets how long each wait of this client may take, instead of its server's
    /// [`deadline`](super::Start::deadline).
    pub fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    /// Waits for the next message.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "that of a stream is called so, too")]
    pub fn next(&mut self) -> impl Future<Output = Out> + Send
    where
        Out: DeserializeOwned,
    {
        self.next_json()
    }

    /// Waits for the next message, and reads it as another type.
    #[track_caller]
    pub fn next_json<T: DeserializeOwned>(&mut self) -> impl Future<Output = T> + Send {
        let patience = self.patience();
        self.socket.next_json(patience)
    }

    /// Waits for the next message, which is to be a text.
    #[track_caller]
    pub fn next_text(&mut self) -> impl Future<Output = String> + Send {
        let patience = self.patience();
        self.socket.next_text(patience)
    }

    /// Waits for the next message, which is to be binary.
    #[track_caller]
    pub fn next_bytes(&mut self) -> impl Future<Output = Bytes> + Send {
        let patience = self.patience();
        self.socket.next_bytes(patience)
    }

    /// Waits for the next message, which is to be this one. Their JSON is compared,
    /// so that the type needs nothing that its server doesn't.
    #[track_caller]
    pub fn assert_next(&mut self, expected: &Out) -> impl Future<Output = ()> + Send
    where
        Out: Serialize + Sync,
    {
        let patience = self.patience();
        self.socket.assert_next(expected, patience)
    }

    /// Makes sure that no message is left to this client: neither of what was sent
    /// before, nor of what handlers send because of what clients and upstreams of
    /// this test have sent before. A client whose connection has ended isn't silent,
    /// but gone: that is a failure.
    ///
    /// It waits for no time to pass, but for all clients of the server, each time: see
    /// [`settle`](super::TestServer::settle).
    #[track_caller]
    pub fn assert_silent(&mut self) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move {
            self.settling.settle(patience).await;
            self.socket.assert_nothing_unread(patience).await;
        }
    }

    /// Sends a message.
    #[track_caller]
    pub fn send(&self, message: &In) -> impl Future<Output = ()> + Send
    where
        In: Serialize,
    {
        self.send_json(message)
    }

    /// Sends a message of another type.
    #[track_caller]
    pub fn send_json<T: Serialize + ?Sized>(&self, message: &T) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        let text = json::write(message, patience);
        self.socket.send(Message::text(text), patience)
    }

    /// Sends a text as it is.
    #[track_caller]
    pub fn send_text(&self, text: impl Into<String>) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        self.socket.send(Message::text(text.into()), patience)
    }

    /// Sends a binary message.
    #[track_caller]
    pub fn send_bytes(&self, bytes: impl Into<Bytes>) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        self.socket.send(Message::binary(bytes.into()), patience)
    }

    /// Waits until the server has ended the connection, and returns how. Messages
    /// that weren't asked for are left aside.
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = Closed> + Send {
        let patience = self.patience();
        self.socket.closed(patience)
    }

    /// Closes the connection with code 1000, and waits for its end.
    #[track_caller]
    pub fn close(self) -> impl Future<Output = ()> + Send {
        self.close_with(1000, "")
    }

    /// Closes the connection with a code and a reason, and waits for its end.
    #[track_caller]
    pub fn close_with(self, code: u16, reason: &str) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move { self.socket.close(code, reason, patience).await }
    }

    #[track_caller]
    fn patience(&self) -> Patience {
        Patience::new(self.deadline)
    }

    /// Returns the id without its signature.
    pub(super) fn plain_id(&self) -> Option<ClientId> {
        let signed = self.id().strip_prefix("s:");
        let plain = signed.and_then(|signed| signed.rsplitn(3, '.').nth(2));
        plain.unwrap_or(self.id()).parse().ok()
    }
}

// A derive would require the same of the payload types.
impl<Out, In> std::fmt::Debug for Client<Out, In> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("id", &self.id()).finish_non_exhaustive()
    }
}
