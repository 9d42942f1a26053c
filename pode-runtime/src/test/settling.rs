//! When everything is done that a test has caused: no time decides that.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use pode_core::{ClientId, Message};
use tokio_util::task::TaskTracker;

use super::patience::Patience;
use super::socket::{Link, marker};
use crate::push::clients::Clients;

/// The sockets of a test, and what its server has to do for them.
pub(super) struct Settling {
    /// Tasks that are still to be done for clients that have disconnected.
    client_tasks: TaskTracker,
    known: Mutex<Known>,
    /// The number of the last ping or marker; locked while somebody waits, since
    /// there is one set of tasks to wait for.
    number: tokio::sync::Mutex<u64>,
}

#[derive(Default)]
struct Known {
    /// Where clients were, by the path to which they connected.
    paths: HashMap<String, Clients>,
    peers: Vec<Peer>,
}

/// A socket of the test.
#[derive(Clone)]
struct Peer {
    link: Link,
    /// Absent for an upstream.
    client: Option<(Clients, ClientId)>,
}

impl Settling {
    pub(super) fn new(client_tasks: TaskTracker) -> Arc<Settling> {
        Arc::new(Settling { client_tasks, known: Mutex::default(), number: Default::default() })
    }

    /// Adds a client that has connected.
    pub(super) fn admit(&self, link: &Link, clients: Clients, id: Option<ClientId>) {
        self.with(|known| known.paths.insert(clients.path().to_owned(), clients.clone()));
        self.add(Peer { link: link.clone(), client: id.map(|id| (clients, id)) });
    }

    /// Adds an upstream that has connected.
    #[cfg(feature = "upstream")]
    pub(super) fn add_upstream(&self, link: &Link) {
        self.add(Peer { link: link.clone(), client: None });
    }

    fn add(&self, peer: Peer) {
        self.with(|known| known.peers.push(peer));
    }

    /// Waits until what the test's sockets have sent is handled, and what was sent
    /// to them has come.
    pub(super) async fn settle(&self, patience: Patience) {
        let mut last = self.number.lock().await;
        *last += 2;
        let number = *last;
        let (paths, peers) = self.with(|known| {
            known.peers.retain(|peer| !peer.link.has_ended());
            (known.paths.values().cloned().collect::<Vec<_>>(), known.peers.clone())
        });
        // A pong comes once all before its ping is read; by an upstream, once it is
        // handled.
        let read = join_all(peers.iter().map(|peer| peer.link.ping(number)));
        patience.wait("the server to read what was sent", read).await;
        let handled = async {
            for clients in paths {
                // Where the server has stopped, nothing is left to handle.
                let _ = clients.handled().await;
            }
            self.client_tasks.close();
            self.client_tasks.wait().await;
            self.client_tasks.reopen();
        };
        patience.wait("the handlers of clients' messages", handled).await;
        // A marker comes after all that was sent to a client before; for an upstream, a
        // pong does.
        let come = peers.iter().map(async |Peer { link, client }| match client {
            Some((clients, id)) => {
                let marker = Message::text(&marker(number));
                if clients.mark(id.clone(), marker).await.is_ok() {
                    link.marked(number).await;
                }
            }
            None => link.ping(number + 1).await,
        });
        patience.wait("messages on their way", join_all(come)).await;
    }

    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settling").finish_non_exhaustive()
    }
}
