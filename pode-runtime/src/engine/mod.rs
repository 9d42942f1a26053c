//! The engine: from a message to its sockets.
//!
//! Each signal path has a [delivery](delivery::Delivery) task, which takes
//! messages from the path's channel and writes their ready-made frames to all
//! its clients. Each [client](client::Client) has a task that
//! [reads](reader::read) what it says, and a bounded queue for what its socket
//! doesn't take at once. Sockets come in by [`Engine::adopt`]; the rest of the
//! server knows nothing of what is in here.

mod client;
mod delivery;
mod frame;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use pode_core::hub;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::client::{QueueLimits, Socket};
use self::delivery::{Command, Delivery};
use crate::options::OnLag;

/// The deliveries of a server. Cloning is cheap, and all clones are the same
/// engine; when the last is dropped, the connections end.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// Where the delivery of each path takes its clients in.
    paths: Arc<HashMap<&'static str, mpsc::Sender<Command>>>,
    /// Holds the deadline as soon as the engine is to stop. Each delivery
    /// watches it until its last client has gone.
    stopping: watch::Sender<Option<Instant>>,
}

impl Engine {
    /// Spawns a delivery task for each path on the current runtime; `on_lag`
    /// tells what becomes of a path's slow clients.
    pub(crate) fn start(deliveries: Vec<hub::Delivery>, on_lag: impl Fn(&str) -> OnLag) -> Engine {
        let limits = |path: &str| QueueLimits { on_lag: on_lag(path), ..QueueLimits::default() };
        Engine::with_limits(deliveries, limits)
    }

    fn with_limits(deliveries: Vec<hub::Delivery>, limits: impl Fn(&str) -> QueueLimits) -> Engine {
        let stopping = watch::Sender::new(None);
        let mut paths = HashMap::new();
        for messages in deliveries {
            let path = messages.path();
            let (delivery, commands) = Delivery::new(messages, limits(path));
            tokio::spawn(delivery.run(stopping.subscribe()));
            paths.insert(path, commands);
        }
        Engine { paths: Arc::new(paths), stopping }
    }

    /// Takes in a client of a path, and tells whether it could: not if the
    /// engine is stopping or has no such path.
    ///
    /// This is called before the 101 reply is sent, with a future of what the
    /// connection will then be, or of none if the client vanishes before. So
    /// whoever has seen the reply misses no message: those that are sent while
    /// the connection opens wait in the client's queue.
    #[must_use = "a client that isn't taken in is to be refused"]
    pub(crate) async fn adopt<S>(
        &self,
        path: &str,
        opening: impl Future<Output = Option<S>> + Send + 'static,
    ) -> bool
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        if self.stopping.borrow().is_some() {
            return false;
        }
        let Some(commands) = self.paths.get(path) else { return false };
        let opening = async { opening.await.map(|socket| Box::new(socket) as Box<dyn Socket>) };
        commands.send(Command::Join(Box::pin(opening))).await.is_ok()
    }

    /// Delivers what was sent before, says 1001 to every client and waits for
    /// their answers; the connections that are left at the deadline are
    /// dropped.
    pub(crate) async fn stop(&self, deadline: Instant) {
        self.stopping.send_replace(Some(deadline));
        self.stopping.closed().await;
    }
}
