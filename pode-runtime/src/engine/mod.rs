//! The engine: from a message to its sockets.
//!
//! Each [shard] is a task that owns many [client]s of many [path]s: it takes
//! messages from the channels of the paths, and writes their ready-made frames
//! to the clients. What a [socket] doesn't take at once waits in the client's
//! bounded [outbox]. A shard is woken by what is on its list, or by what the
//! system tells of sockets ([readiness]). Connections come in by
//! [`Engine::adopt`]; the rest of the server knows nothing of what is in here.

mod client;
#[cfg(target_os = "linux")]
mod epoll;
mod outbox;
mod path;
mod portable;
#[cfg(target_os = "linux")]
mod raw;
mod readiness;
mod shard;
mod socket;
#[cfg(test)]
mod tests;
#[cfg(target_os = "linux")]
mod tls;
mod woken;

/// What the model of [`woken`] puts its own in the place of.
mod sync {
    pub(super) use std::sync::Mutex;
}

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use pode_core::hub;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::outbox::QueueLimits;
use self::path::{Crowd, Entrance, Treatment};
use self::shard::{Join, Shard};
use self::socket::Connection;
use crate::options::SignalOptions;

/// The shards of a server. Cloning is cheap, and all clones are the same
/// engine; when the last is dropped, the connections end.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    shards: Arc<[mpsc::Sender<Join>]>,
    paths: Arc<HashMap<&'static str, (u32, Arc<Crowd>)>>,
    /// Holds the deadline as soon as the engine is to stop. Each shard watches
    /// it until its last client has gone.
    stopping: watch::Sender<Option<Instant>>,
    connect: fn(Upgraded) -> io::Result<Connection>,
}

impl Engine {
    /// Spawns a shard for each worker of the current runtime; `options` are
    /// those of the signal at a path.
    ///
    /// # Errors
    ///
    /// The system has no descriptor left.
    pub(crate) fn start(
        deliveries: Vec<hub::Delivery>,
        options: impl Fn(&str) -> SignalOptions,
    ) -> io::Result<Engine> {
        let treatment = |path: &str| {
            let SignalOptions { on_lag, heartbeat, .. } = options(path);
            let limits = QueueLimits { on_lag, ..QueueLimits::default() };
            Treatment { limits, heartbeat }
        };
        Engine::with_shards(Handle::current().metrics().num_workers(), deliveries, treatment)
    }

    fn with_shards(
        shards: usize,
        deliveries: Vec<hub::Delivery>,
        treatment: impl Fn(&str) -> Treatment,
    ) -> io::Result<Engine> {
        let made = (0..shards).map(|_| Shard::new()).collect::<io::Result<Vec<_>>>()?;
        let (mut shards, senders): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        let mut paths = HashMap::new();
        for (number, messages) in (0..).zip(deliveries) {
            let path = messages.path();
            let home = number as usize % shards.len();
            let crowd = Arc::new(Crowd::new(home, messages.source()));
            let mut messages = Some(messages);
            for (index, shard) in shards.iter_mut().enumerate() {
                let messages = if index == home { messages.take() } else { None };
                shard.add_path(path, treatment(path), Arc::clone(&crowd), messages);
            }
            paths.insert(path, (number, crowd));
        }
        let stopping = watch::Sender::new(None);
        for shard in shards {
            tokio::spawn(shard.run(stopping.subscribe()));
        }
        let (shards, paths) = (senders.into(), Arc::new(paths));
        Ok(Engine { shards, paths, stopping, connect: connect() })
    }

    /// Takes in a client of a path, and tells whether it could: not if the
    /// engine is stopping or has no such path.
    ///
    /// This is called before the 101 reply is sent, with a future of what the
    /// connection will then be, or of none if the client vanishes before. So
    /// whoever has seen the reply misses no message: those that are sent while
    /// the connection opens wait in the client's queue.
    #[must_use = "a client that isn't taken in is to be refused"]
    pub(crate) async fn adopt(
        &self,
        path: &'static str,
        opening: impl Future<Output = Option<Upgraded>> + Send + 'static,
    ) -> bool {
        let connect = self.connect;
        let opening = async move {
            let connection = connect(opening.await?);
            connection
                .inspect_err(|error| tracing::debug!(path, %error, "a client left at once"))
                .ok()
        };
        self.adopt_connection(path, opening).await
    }

    async fn adopt_connection(
        &self,
        path: &str,
        opening: impl Future<Output = Option<Connection>> + Send + 'static,
    ) -> bool {
        if self.stopping.borrow().is_some() {
            return false;
        }
        let Some((path, crowd)) = self.paths.get(path) else { return false };
        let Some(Entrance { shard, messages }) = crowd.enter(self.shards.len()) else {
            return false;
        };
        let join = Join { path: *path, messages, opening: Box::pin(opening) };
        self.shards[shard].send(join).await.is_ok()
    }

    /// Delivers what was sent before, says 1001 to every client and waits for
    /// their answers; the connections that are left at the deadline are
    /// dropped.
    pub(crate) async fn stop(&self, deadline: Instant) {
        self.stopping.send_replace(Some(deadline));
        self.stopping.closed().await;
    }
}

/// Chooses how connections are held: out of tokio's hands where that can be,
/// unless the environment says `PODE_ENGINE=portable`.
fn connect() -> fn(Upgraded) -> io::Result<Connection> {
    #[cfg(target_os = "linux")]
    if std::env::var_os("PODE_ENGINE").is_none_or(|engine| engine != "portable") {
        return raw::connect;
    }
    |upgraded| Ok(Connection::portable(TokioIo::new(upgraded)))
}
