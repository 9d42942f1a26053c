//! A client of a signal.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use pode_core::ClientId;

use super::conversation::conversation_methods;
use super::settling::Settling;
use super::socket::Socket;
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

conversation_methods!(Client, Out, In);

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
