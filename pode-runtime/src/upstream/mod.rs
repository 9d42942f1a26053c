//! Upstreams: other servers' WebSockets that this server is a client of.
//!
//! A `declared` upstream has a `task`, which connects (`connect`, by TLS or
//! without, then by a `handshake`), serves the connection until it ends
//! (`connection`), waits (`backoff`) and begins again, as long as the server runs.
//! Its handler gets one message after the other. Nothing is read meanwhile, so that
//! TCP slows the other server down and no memory grows. Handlers send through a
//! `sender` to the connection, if there is one.

mod backoff;
mod connect;
mod connection;
mod declared;
mod error;
mod handshake;
mod options;
mod sender;
mod task;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use pode_core::UpstreamName;
use serde::Serialize;

pub(crate) use connect::Destination;
pub(crate) use declared::DeclaredUpstream;
pub use error::UpstreamError;
pub use options::UpstreamOptions;
use sender::Sender;
pub(crate) use task::UpstreamTasks;

/// A payload for another server: any type that serde writes as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent to another server",
    label = "no JSON is made of this",
    note = "derive `Serialize` for it"
)]
pub trait Sent: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Sent for T {}

/// Sends payloads to an upstream; a handle that is cheap to clone.
///
/// Every event and the running server provide it by the upstream's name:
/// `event.upstream(PRICES)`. It outlives connections: it sends over the current
/// one.
pub struct Upstream<Sends> {
    name: &'static str,
    /// `None` if the server doesn't declare it.
    sender: Option<Arc<Sender>>,
    /// No value is stored here.
    payload: PhantomData<fn(Sends)>,
}

impl<Sends> Upstream<Sends> {
    /// Returns the name in its declaration.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns whether there is a connection now. It may be lost before the
    /// next message is sent; then [`send`](Self::send) fails.
    pub fn is_connected(&self) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.is_connected())
    }

    /// Sends a payload, as one text frame of JSON.
    ///
    /// The payload is encoded at the call; nothing else happens until the
    /// returned future is awaited. The future waits for earlier messages and
    /// for the connection to take this one, at most for the server's
    /// `send_timeout`. When it completes, the message has left this program,
    /// but the other server may not have read it. Nothing is kept for a later
    /// connection: messages with which each connection must begin belong in
    /// `on_connect`.
    ///
    /// If the future is dropped before it completes, the message may or may not
    /// have been sent, but never a part of it.
    ///
    /// # Errors
    ///
    /// When awaited: the payload has no JSON form or is too long, the upstream
    /// is not connected or lost its connection meanwhile, it took nothing in
    /// time, the server has stopped, or it doesn't declare the upstream.
    pub fn send(
        &self,
        payload: &Sends,
    ) -> impl Future<Output = Result<(), UpstreamError>> + Send + use<Sends>
    where
        Sends: Sent,
    {
        let (name, sender) = (self.name, self.sender.clone());
        let text = serde_json::to_string(payload);
        async move {
            let sender = sender.ok_or(UpstreamError::Unknown { name })?;
            sender.send(text.map_err(|source| UpstreamError::Encode { name, source })?).await
        }
    }
}

// Derives would require the payload type to be `Clone` and `Debug`, too.
impl<Sends> Clone for Upstream<Sends> {
    fn clone(&self) -> Self {
        Upstream { name: self.name, sender: self.sender.clone(), payload: PhantomData }
    }
}

impl<Sends> fmt::Debug for Upstream<Sends> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

/// The senders to all upstreams of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upstreams {
    senders: Arc<[Arc<Sender>]>,
}

impl Upstreams {
    pub(crate) fn of<Context>(upstreams: &[DeclaredUpstream<Context>]) -> Upstreams {
        Upstreams {
            senders: upstreams.iter().map(|upstream| Arc::clone(upstream.sender())).collect(),
        }
    }

    pub(crate) fn find<Sends, Receives>(
        &self,
        name: UpstreamName<Sends, Receives>,
    ) -> Upstream<Sends> {
        let name = name.as_str();
        let sender = self.senders.iter().find(|sender| sender.name() == name).cloned();
        Upstream { name, sender, payload: PhantomData }
    }
}
