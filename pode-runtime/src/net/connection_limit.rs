//! How many connections there are: in all, and from one address.
//!
//! A connection holds its [`ConnectionPermit`] from its acceptance to its end,
//! even when it has become a WebSocket. A connection that gets no permit waits
//! for one. If there are too many from its address, the acceptor refuses it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::limits::Limits;
use crate::base::supervisor::unwinding_stops_here;
use crate::base::trouble::Trouble;
use crate::net::client_address::counted_as;

/// The limit of a server's connections, or of those to one of its addresses,
/// which count for both.
#[derive(Debug)]
pub(crate) struct ConnectionLimit {
    max: usize,
    max_per_address: usize,
    /// The limit of the whole server, if this is that of one of its addresses.
    parent: Option<Arc<ConnectionLimit>>,
    /// Whether any limit counts connections by address.
    by_address: bool,
    inside: Mutex<Inside>,
    room: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    sources: HashMap<Option<IpAddr>, Arc<Source>>,
    /// How many connections come from each of them.
    counts: HashMap<Option<IpAddr>, usize>,
    /// Whether connections wait for a permit, for the log.
    trouble: Trouble,
}

/// An address from which connections come, as long as one does.
#[derive(Debug)]
struct Source {
    /// `None` stands for all addresses, if they aren't counted separately.
    address: Option<IpAddr>,
    connections: Arc<ConnectionLimit>,
    parent: Option<Arc<Source>>,
}

/// A connection counts until this is dropped. A single pointer, as each
/// connection has one.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    source: Arc<Source>,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionLimitReached {
    All,
    Address,
}

impl ConnectionLimit {
    /// Makes the count of a server whose system allows `allowed` connections.
    pub(crate) fn new(limits: &Limits, allowed: usize) -> Arc<ConnectionLimit> {
        let max = limits.max_connections.min(allowed).max(1);
        ConnectionLimit::limited(max, limits.max_connections_per_address, None)
    }

    /// Returns the count for an address; it is the server's, unless the limits
    /// there differ from the enclosing ones.
    pub(crate) fn at(self: &Arc<Self>, limits: &Limits, parent: &Limits) -> Arc<ConnectionLimit> {
        let own = |limit, parent| if limit == parent { usize::MAX } else { limit };
        let max = own(limits.max_connections, parent.max_connections);
        let per_address =
            own(limits.max_connections_per_address, parent.max_connections_per_address);
        match (max, per_address) {
            (usize::MAX, usize::MAX) => Arc::clone(self),
            _ => ConnectionLimit::limited(max.max(1), per_address, Some(Arc::clone(self))),
        }
    }

    fn limited(
        max: usize,
        max_per_address: usize,
        parent: Option<Arc<ConnectionLimit>>,
    ) -> Arc<ConnectionLimit> {
        let outer = parent.as_ref().is_some_and(|parent| parent.by_address);
        Arc::new(ConnectionLimit {
            max,
            max_per_address,
            by_address: max_per_address != usize::MAX || outer,
            parent,
            inside: Mutex::default(),
            room: Notify::new(),
        })
    }

    /// Waits until another connection is allowed. Cancel safe.
    pub(crate) async fn room(&self) {
        if let Some(parent) = &self.parent {
            Box::pin(parent.room()).await;
        }
        loop {
            let freed = self.room.notified();
            let (begins, due) = {
                let mut inside = self.lock();
                if inside.all < self.max {
                    return;
                }
                (inside.trouble.begins(), inside.trouble.due())
            };
            if begins {
                let max = self.max;
                tracing::warn!(
                    "the limit of {max} connections is reached (`max_connections`); others wait until some have ended"
                );
            }
            tokio::select! {
                () = freed => {}
                () = due => {}
            }
        }
    }

    /// Gives a connection its permit.
    ///
    /// # Errors
    ///
    /// The limit is reached in all, or for its address.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
    ) -> Result<ConnectionPermit, ConnectionLimitReached> {
        Ok(ConnectionPermit { source: self.count(counted_as(address))? })
    }

    fn count(self: &Arc<Self>, address: IpAddr) -> Result<Arc<Source>, ConnectionLimitReached> {
        let parent = self.parent.as_ref().map(|parent| parent.count(address)).transpose()?;
        let counted = self.count_here(address, parent.as_ref());
        if let (Err(_), Some(parent)) = (&counted, parent) {
            parent.leave();
        }
        counted
    }

    fn count_here(
        self: &Arc<Self>,
        address: IpAddr,
        parent: Option<&Arc<Source>>,
    ) -> Result<Arc<Source>, ConnectionLimitReached> {
        let mut inside = self.lock();
        if inside.all >= self.max {
            return Err(ConnectionLimitReached::All);
        }
        let address = self.by_address.then_some(address);
        let from_there = inside.counts.entry(address).or_default();
        // The first connection from an address is never refused.
        if *from_there >= self.max_per_address.max(1) {
            return Err(ConnectionLimitReached::Address);
        }
        *from_there += 1;
        inside.all += 1;
        let source = inside.sources.entry(address).or_insert_with(|| {
            let (connections, parent) = (Arc::clone(self), parent.cloned());
            Arc::new(Source { address, connections, parent })
        });
        Ok(Arc::clone(source))
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // No code panics while it holds the lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    fn leave(&self) {
        let connections = &self.connections;
        let mut inside = connections.lock();
        inside.all -= 1;
        if let Some(from_there) = inside.counts.get_mut(&self.address) {
            *from_there -= 1;
            if *from_there == 0 {
                inside.counts.remove(&self.address);
                inside.sources.remove(&self.address);
            }
        }
        // An eighth must be free, so that the log isn't told at each end of a
        // connection while others wait.
        let has_room = inside.all <= connections.max - (connections.max / 8).max(1);
        let ends = has_room && inside.trouble.ends();
        drop(inside);
        // All that wait: one of them may be held up by another limit.
        connections.room.notify_waiters();
        if let Some(parent) = &self.parent {
            parent.leave();
        }
        if ends {
            unwinding_stops_here(|| {
                tracing::info!("there are fewer connections than their limit again")
            });
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.source.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::log::Collected;

    fn limits(max: usize, per_address: usize) -> Limits {
        let mut limits = Limits::default();
        limits.max_connections = max;
        limits.max_connections_per_address = per_address;
        limits
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn whoever_leaves_makes_room() {
        let server = ConnectionLimit::new(&limits(3, 2), 100);
        let (one, other) = (server.enter(address(1)).unwrap(), server.enter(address(1)).unwrap());
        assert_eq!(server.enter(address(1)).unwrap_err(), ConnectionLimitReached::Address);
        let third = server.enter(address(2)).unwrap();
        assert_eq!(server.enter(address(3)).unwrap_err(), ConnectionLimitReached::All);
        drop(one);
        let fourth = server.enter(address(1)).unwrap();
        drop((other, third, fourth));
        let inside = server.lock();
        assert_eq!((inside.all, inside.counts.len(), inside.sources.len()), (0, 0, 0));
    }

    #[test]
    fn there_are_never_more_than_the_system_allows() {
        let server = ConnectionLimit::new(&Limits::default(), 1);
        let permit = server.enter(address(1)).unwrap();
        assert_eq!(server.enter(address(1)).unwrap_err(), ConnectionLimitReached::All);
        drop(permit);
        server.enter(address(1)).unwrap();
    }

    #[test]
    fn an_endpoint_counts_besides() {
        let parent = limits(3, usize::MAX);
        let server = ConnectionLimit::new(&parent, 100);
        assert!(Arc::ptr_eq(&server, &server.at(&parent, &parent)));
        let endpoint = server.at(&limits(2, 1), &parent);
        let one = endpoint.enter(address(1)).unwrap();
        assert_eq!(endpoint.enter(address(1)).unwrap_err(), ConnectionLimitReached::Address);
        let other = endpoint.enter(address(2)).unwrap();
        assert_eq!(endpoint.enter(address(3)).unwrap_err(), ConnectionLimitReached::All);
        // The refused connection was not counted.
        let third = server.enter(address(3)).unwrap();
        assert_eq!(server.enter(address(3)).unwrap_err(), ConnectionLimitReached::All);
        drop((one, third));
        assert_eq!((endpoint.lock().all, server.lock().all), (1, 1));
        drop(other);
        assert_eq!((endpoint.lock().all, server.lock().all), (0, 0));
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let server = ConnectionLimit::new(&limits(9, 1), 100);
        let _one = server.enter("2001:db8::1".parse().unwrap()).unwrap();
        let other = server.enter("2001:db8::ffff:2".parse().unwrap());
        assert_eq!(other.unwrap_err(), ConnectionLimitReached::Address);
    }

    /// Waits for a permit until none is expected any more.
    async fn wait(server: &ConnectionLimit, seconds: u64) {
        tokio::time::timeout(Duration::from_secs(seconds), server.room()).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_met_again_and_again_is_told_once_a_minute() {
        let (log, _guard) = Collected::begin();
        let server = ConnectionLimit::new(&limits(1, usize::MAX), 100);
        let told = || {
            let is_full = |line: &&str| line.contains("is reached (`max_connections`)");
            let is_over =
                |line: &&str| line.contains("there are fewer connections than their limit again");
            let text = log.text();
            (text.lines().filter(is_full).count(), text.lines().filter(is_over).count())
        };
        for _ in 0..30 {
            let permit = server.enter(address(1)).unwrap();
            wait(&server, 1).await;
            drop(permit);
        }
        assert_eq!(told(), (1, 1));
        // No connection ends any more.
        let permit = server.enter(address(1)).unwrap();
        wait(&server, 29).await;
        assert_eq!(told(), (1, 1));
        wait(&server, 2).await;
        assert_eq!(told(), (2, 1));
        wait(&server, 3600).await;
        drop(permit);
        assert_eq!(told(), (2, 2));
        // A full server without waiting connections is in no trouble.
        let _place = server.enter(address(1)).unwrap();
        assert_eq!(told(), (2, 2));
    }

    #[tokio::test]
    async fn who_waits_for_room_is_woken() {
        let server = ConnectionLimit::new(&limits(1, usize::MAX), 100);
        let endpoint = server.at(&limits(1, usize::MAX), &limits(2, 2));
        let permit = endpoint.enter(address(1)).unwrap();
        let waiting = tokio::spawn({
            let endpoint = Arc::clone(&endpoint);
            async move { endpoint.room().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(permit);
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_at_its_own_limit_takes_no_room_from_others() {
        let parent = limits(2, usize::MAX);
        let server = ConnectionLimit::new(&parent, 100);
        let endpoint = server.at(&limits(1, usize::MAX), &parent);
        let _own = endpoint.enter(address(1)).unwrap();
        let permit = server.enter(address(2)).unwrap();
        let wait = |limit: &Arc<ConnectionLimit>| {
            let limit = Arc::clone(limit);
            tokio::spawn(async move { limit.room().await })
        };
        let at_its_limit = wait(&endpoint);
        tokio::task::yield_now().await;
        let other = wait(&server);
        tokio::task::yield_now().await;
        drop(permit);
        tokio::time::timeout(Duration::from_secs(60), other).await.expect("woken").unwrap();
        assert!(!at_its_limit.is_finished());
        at_its_limit.abort();
    }
}
