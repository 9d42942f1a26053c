//! The engine: from a message to its sockets.
//!
//! A [shard] is a task that owns many [client]s of many [path]s, in [slots]; there
//! is one for each worker of the runtime. A [path] has a home shard, and lives in
//! more of them when it has more than a thousand clients; its [policy] says how they
//! are treated. [delivery] does what is due in a path's channel: each [envelope] there
//! is a message, an audience for it, or a command. [closing] is how a shard closes
//! clients. [recovery] replaces a shard that panics; one that a worker keeps while it
//! blocks is [helped].
//! `renumbering` tells clients of the numbers of a carrier, for which `lasting` says which
//! messages outlast others; `presence` tells who is there, as [present_clients] are known.
//!
//! A client gets messages in its [form]. It is a [socket], a [send_queue] while the socket takes nothing, a place in
//! its path's log while it is [behind], a decoder, and a [subscriber]: its id, groups
//! and [inbox]. A [subscriber_index] finds clients by id and group. [readiness] tells a
//! shard what to look at: wakers put themselves on the [ready_list], and `epoll`
//! watches sockets.
//!
//! Connections come in by [`Engine::subscribe`]; nothing else of the server knows
//! what is in here.

mod behind;
mod client;
mod closing;
mod delivery;
mod envelope;
#[cfg(target_os = "linux")]
mod epoll;
mod form;
mod helped;
mod inbox;
#[cfg(feature = "redis")]
mod lasting;
mod path;
mod policy;
mod presence;
mod present_clients;
mod readiness;
mod ready_list;
mod recovery;
#[cfg(feature = "redis")]
mod renumbering;
mod send_queue;
mod shard;
mod shrink;
mod slots;
mod socket;
mod subscriber;
mod subscriber_index;
#[cfg(test)]
mod tests;

/// The lock of [`ready_list`], which `tests/ready_list.rs` replaces by that of
/// loom.
mod sync {
    pub(super) use std::sync::Mutex;
}

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use pode_core::frame::Close;
use pode_core::{ClientId, Message, hub};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout_at};

#[cfg(feature = "redis")]
pub(crate) use self::envelope::Why;
pub(crate) use self::envelope::{
    Answer, Audience, Command, EVERYBODY, Envelope, Found, Hello, MAX_GROUP_BYTES, MAX_PATH_BYTES,
    PostOutcome, Posted, Query, Recipients, random_epoch,
};
pub(crate) use self::form::{Form, Speaks, V1_PROTOCOL};
#[cfg(feature = "redis")]
pub(crate) use self::lasting::{LastOf, Lasting};
use self::path::{Placed, Placement};
pub(crate) use self::policy::SubscriberPolicy;
pub use self::policy::{OnLag, Replay};
use self::shard::{Join, Shard};
use self::socket::Connection;
pub(crate) use self::subscriber::{Groups, MAX_GROUPS};
use crate::base::supervisor::Failure;
use crate::net::connection_limit::SharedPermit;
use crate::net::upgraded::UpgradedConnection;
use crate::push::session::{DisconnectReason, Renews, Session};

/// The shards of a server. Cloning is cheap, and all clones are the same
/// engine; when the last is dropped, the connections end.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    shards: Arc<[mpsc::Sender<Join>]>,
    /// A family has several placements, over which its paths are spread.
    paths: Arc<HashMap<&'static str, Placements>>,
    /// Holds the deadline once the engine is to stop. Each shard watches it
    /// until its last client has gone.
    stopping: watch::Sender<Option<Instant>>,
    hold: fn(UpgradedConnection) -> io::Result<Connection>,
}

/// The placements of a path, each with its path number in each shard.
type Placements = Vec<(u32, Arc<Placement>)>;

/// A client that is to be subscribed.
#[derive(Debug)]
pub(crate) struct NewSubscriber {
    pub(crate) id: ClientId,
    /// Its own path within a family.
    pub(crate) path: Option<Arc<str>>,
    /// Its initial groups.
    pub(crate) groups: Groups,
    pub(crate) speaks: Speaks,
    /// The messages that it gets first.
    pub(crate) greeting: Vec<Message>,
    /// Present if there is a handler for its messages or its disconnect.
    pub(crate) session: Option<Box<dyn Session>>,
    /// Counts it while it is connected.
    pub(crate) permit: Option<SharedPermit>,
    /// Present if it is closed at once, and never admitted.
    pub(crate) refusal: Option<Close>,
}

impl NewSubscriber {
    /// Ends the session of a client that the engine no longer takes.
    fn refuse(self) {
        if let Some(mut session) = self.session {
            session.leave(DisconnectReason::Stopped, None, Vec::new());
        }
    }
}

impl Engine {
    /// Spawns a shard for each worker of the current runtime. A shard that
    /// can't go on is reported to `failure`; `blocked` is notified while a
    /// worker blocks. `renews` gives clients new tickets.
    ///
    /// # Errors
    ///
    /// The system has no file descriptor left.
    pub(crate) fn start(
        receivers: Vec<hub::Receiver<Envelope>>,
        policy: impl Fn(&str) -> SubscriberPolicy,
        renews: Option<&Arc<dyn Renews>>,
        failure: &Failure,
        blocked: Option<&Arc<Notify>>,
    ) -> io::Result<Engine> {
        let shards = Handle::current().metrics().num_workers();
        Engine::with_shards(shards, receivers, policy, renews, failure, blocked)
    }

    fn with_shards(
        shards: usize,
        receivers: Vec<hub::Receiver<Envelope>>,
        policy: impl Fn(&str) -> SubscriberPolicy,
        renews: Option<&Arc<dyn Renews>>,
        failure: &Failure,
        blocked: Option<&Arc<Notify>>,
    ) -> io::Result<Engine> {
        let made =
            (0..shards).map(|_| Shard::new(renews.cloned())).collect::<io::Result<Vec<_>>>()?;
        let (mut shards, senders): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        let mut placements: HashMap<_, Placements> = HashMap::new();
        for (number, messages) in (0..).zip(receivers) {
            let path = messages.path();
            let home = number as usize % shards.len();
            let is_family = path.contains("/:");
            let placement = Arc::new(Placement::new(home, is_family, messages.source()));
            let log = messages.log().cloned();
            let mut messages = Some(messages);
            for (index, shard) in shards.iter_mut().enumerate() {
                let messages = if index == home { messages.take() } else { None };
                shard.add_path(path, policy(path), Arc::clone(&placement), messages, log.clone());
            }
            placements.entry(path).or_default().push((number, placement));
        }
        let stopping = watch::Sender::new(None);
        for shard in shards {
            helped::spawn(shard.run(stopping.subscribe(), failure.clone()), blocked);
        }
        let (shards, paths) = (senders.into(), Arc::new(placements));
        Ok(Engine { shards, paths, stopping, hold: hold() })
    }

    /// Adds a client of a path. Returns its arrival number, or `None` if the
    /// engine is stopping or has no such path.
    ///
    /// Unless it is refused, the caller must then send [`Command::Admit`]: the client gets the
    /// messages sent after that command, and none sent before. All this happens
    /// before the 101 reply is sent; `opening` resolves to the connection after
    /// that, or to `None` if the client vanishes before. So a client that has
    /// seen the reply misses no message: messages that are sent while the
    /// connection opens wait in its send queue.
    #[must_use = "a client that isn't taken in is to be refused"]
    pub(crate) async fn subscribe(
        &self,
        path: &'static str,
        new_subscriber: NewSubscriber,
        opening: impl Future<Output = Option<UpgradedConnection>> + Send + 'static,
    ) -> Option<u64> {
        let hold = self.hold;
        let opening = async move {
            let connection = hold(opening.await?);
            connection
                .inspect_err(|error| tracing::debug!(path, %error, "a client left at once"))
                .ok()
        };
        self.subscribe_connection(path, new_subscriber, opening).await
    }

    async fn subscribe_connection(
        &self,
        path: &str,
        new_subscriber: NewSubscriber,
        opening: impl Future<Output = Option<Connection>> + Send + 'static,
    ) -> Option<u64> {
        let Some((path, placed)) = self.enter(path, &new_subscriber) else {
            new_subscriber.refuse();
            return None;
        };
        let Placed { counted, shard, messages, arrival } = placed;
        let opening = Box::pin(opening);
        let join = Join { path, messages, new_subscriber, arrival, counted, opening };
        match self.shards[shard].send(join).await {
            Ok(()) => Some(arrival),
            Err(SendError(Join { new_subscriber, .. })) => {
                new_subscriber.refuse();
                None
            }
        }
    }

    /// Finds the number of a path, and the placement of a new client.
    fn enter(&self, path: &str, new_subscriber: &NewSubscriber) -> Option<(u32, Placed)> {
        if self.stopping.borrow().is_some() {
            return None;
        }
        let placements = self.paths.get(path)?;
        let (number, placement) = match &new_subscriber.path {
            Some(own) => &placements[hub::spread(own, placements.len())],
            None => &placements[0],
        };
        Some((*number, placement.enter(self.shards.len())?))
    }

    /// Returns the number of clients, including those that are still joining.
    pub(crate) fn clients(&self) -> usize {
        self.paths.values().flatten().map(|(_, placement)| placement.clients()).sum()
    }

    /// Waits until no client is left, at most until the deadline.
    pub(crate) async fn drained(&self, deadline: Instant) {
        let drained = async {
            // Some may come to one path while another is waited for.
            while self.clients() > 0 {
                for (_, placement) in self.paths.values().flatten() {
                    placement.drained().await;
                }
            }
        };
        let _ = timeout_at(deadline, drained).await;
    }

    /// Delivers the messages that were sent before, closes every client with
    /// 1001 and waits for their close frames; drops the connections that are
    /// left at the deadline.
    pub(crate) async fn stop(&self, deadline: Instant) {
        self.stopping.send_replace(Some(deadline));
        self.stopping.closed().await;
    }
}

/// Chooses how connections are held: outside of tokio where possible, unless
/// the environment has `PODE_ENGINE=portable`.
fn hold() -> fn(UpgradedConnection) -> io::Result<Connection> {
    #[cfg(target_os = "linux")]
    if std::env::var_os("PODE_ENGINE").is_none_or(|engine| engine != "portable") {
        return socket::tcp::hold;
    }
    |connection| Ok(connection.into())
}
