//! How many connections there are: in all, and from one address.
//!
//! A server, an endpoint and a signal each limit theirs. A connection holds its
//! [`ConnectionPermit`] until it ends, even when it has become a WebSocket;
//! whoever asks for a permit decides what becomes of a connection without one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::limits::Limits;
use crate::base::supervisor::unwinding_stops_here;
use crate::base::trouble::Trouble;

/// The limit of some connections.
#[derive(Debug)]
pub(crate) struct ConnectionLimit {
    max: usize,
    max_per_address: usize,
    wording: LimitWording,
    /// The limit for which they count, too.
    parent: Option<Arc<ConnectionLimit>>,
    /// The limit of those that neither of these admits.
    spare: Option<Arc<ConnectionLimit>>,
    /// Whether any limit counts connections by address.
    by_address: bool,
    inside: Mutex<Inside>,
    room: Notify,
}

/// What the log says of a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitWording {
    /// The signal whose clients are counted.
    pub(crate) signal: Option<&'static str>,
    /// That it is reached, after "the limit of 100".
    pub(crate) reached: &'static str,
    pub(crate) over: &'static str,
}

/// For the few connections of those who ask how a server is: it must be able to tell
/// that when it is full.
const SPARE: usize = 16;

const OF_SPARE: LimitWording = LimitWording {
    signal: None,
    reached: "connections besides, where operations are answered, is reached, too",
    over: "there is room again where operations are answered",
};

const OF_SERVER: LimitWording = LimitWording {
    signal: None,
    reached: "connections is reached (`max_connections`); others wait until some have ended",
    over: "there are fewer connections than their limit again",
};

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    /// The addresses from which connections come, with their number.
    sources: HashMap<Option<IpAddr>, (usize, Arc<Source>)>,
    /// That the limit is reached.
    trouble: Trouble,
}

/// What the permits of one address share.
#[derive(Debug)]
struct Source {
    limit: Arc<ConnectionLimit>,
    /// `None` stands for unknown ones, and for all if they aren't counted
    /// separately.
    address: Option<IpAddr>,
}

/// A connection counts until this is dropped. A single pointer, as each
/// connection has one.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    source: Arc<Source>,
}

/// A permit that a connection may share with the one that takes its place.
#[derive(Clone, Debug)]
pub(crate) struct SharedPermit(Arc<Mutex<ConnectionPermit>>);

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitReached {
    All,
    Address,
}

impl ConnectionLimit {
    /// Makes a limit in all and for each address; `usize::MAX` is none.
    pub(crate) fn new(max: usize, max_per_address: usize, wording: LimitWording) -> Arc<Self> {
        ConnectionLimit::limited(max, max_per_address, wording, None, None)
    }

    /// Makes the limit of a server whose system allows `allowed` connections.
    /// The first connection from an address is never refused.
    pub(crate) fn of_server(limits: &Limits, allowed: usize) -> Arc<Self> {
        let max = limits.max_connections.min(allowed).max(1);
        ConnectionLimit::new(max, limits.max_connections_per_address.max(1), OF_SERVER)
    }

    /// Returns the limit at an address; it is the server's, unless the limits
    /// there differ from the enclosing ones.
    pub(crate) fn at(self: &Arc<Self>, limits: &Limits, enclosing: &Limits) -> Arc<Self> {
        let own =
            |limit: usize, enclosing| if limit == enclosing { usize::MAX } else { limit.max(1) };
        let max = own(limits.max_connections, enclosing.max_connections);
        let max_per_address =
            own(limits.max_connections_per_address, enclosing.max_connections_per_address);
        match (max, max_per_address) {
            (usize::MAX, usize::MAX) => Arc::clone(self),
            _ => {
                let parent = Some(Arc::clone(self));
                ConnectionLimit::limited(max, max_per_address, self.wording, parent, None)
            }
        }
    }

    /// Returns a limit that admits 16 connections more, whatever their address.
    pub(crate) fn with_spare(self: &Arc<Self>) -> Arc<Self> {
        let spare = Some(ConnectionLimit::new(SPARE, usize::MAX, OF_SPARE));
        let parent = Some(Arc::clone(self));
        ConnectionLimit::limited(usize::MAX, usize::MAX, self.wording, parent, spare)
    }

    fn limited(
        max: usize,
        max_per_address: usize,
        wording: LimitWording,
        parent: Option<Arc<Self>>,
        spare: Option<Arc<Self>>,
    ) -> Arc<Self> {
        let outer = parent.as_ref().is_some_and(|parent| parent.by_address);
        Arc::new(ConnectionLimit {
            max,
            max_per_address,
            wording,
            parent,
            spare,
            by_address: max_per_address != usize::MAX || outer,
            inside: Mutex::default(),
            room: Notify::new(),
        })
    }

    /// Waits until another connection is allowed. Cancel safe.
    pub(crate) async fn room(&self) {
        match &self.spare {
            None => self.usual_room().await,
            Some(spare) => tokio::select! {
                () = self.usual_room() => {}
                () = Box::pin(spare.room()) => {}
            },
        }
    }

    async fn usual_room(&self) {
        if let Some(parent) = &self.parent {
            Box::pin(parent.room()).await;
        }
        loop {
            let freed = self.room.notified();
            let due = {
                let inside = self.lock();
                if inside.all < self.max {
                    return;
                }
                self.reached(inside)
            };
            tokio::select! {
                () = freed => {}
                () = due => {}
            }
        }
    }

    /// Gives a connection its permit. If its address isn't known, it counts
    /// only in all.
    ///
    /// # Errors
    ///
    /// The limit is reached in all, or for its address.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: Option<IpAddr>,
    ) -> Result<ConnectionPermit, LimitReached> {
        let source = self.count(address.map(counted_as)).or_else(|reached| {
            let spare = self.spare.as_ref().ok_or(reached)?;
            spare.count(None).map_err(|_| reached)
        });
        Ok(ConnectionPermit { source: source? })
    }

    fn count(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Arc<Source>, LimitReached> {
        let Some(parent) = &self.parent else { return self.count_here(address) };
        parent.count(address)?;
        self.count_here(address).inspect_err(|_| parent.leave(address))
    }

    fn count_here(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Arc<Source>, LimitReached> {
        let address = address.filter(|_| self.by_address);
        let mut inside = self.lock();
        if inside.all >= self.max {
            drop(self.reached(inside));
            return Err(LimitReached::All);
        }
        // Checked before inserting, so that who is refused leaves no entry.
        if address.is_some() && inside.from(address) >= self.max_per_address {
            return Err(LimitReached::Address);
        }
        inside.all += 1;
        Ok(inside.add(address, self))
    }

    /// Counts a connection for another address.
    fn recount(
        self: &Arc<Self>,
        from: Option<IpAddr>,
        to: Option<IpAddr>,
    ) -> Result<Arc<Source>, LimitReached> {
        let Some(parent) = &self.parent else { return self.recount_here(from, to) };
        parent.recount(from, to)?;
        self.recount_here(from, to).inspect_err(|_| drop(parent.recount(to, from)))
    }

    fn recount_here(
        self: &Arc<Self>,
        from: Option<IpAddr>,
        to: Option<IpAddr>,
    ) -> Result<Arc<Source>, LimitReached> {
        let [from, to] = [from, to].map(|address| address.filter(|_| self.by_address));
        let mut inside = self.lock();
        if to.is_some() && inside.from(to) >= self.max_per_address {
            return Err(LimitReached::Address);
        }
        inside.remove(from);
        Ok(inside.add(to, self))
    }

    /// Logs that the limit is reached, if it is time, and returns when to look
    /// again.
    fn reached(&self, mut inside: MutexGuard<'_, Inside>) -> impl Future<Output = ()> + use<> {
        let begins = inside.trouble.begins();
        let due = inside.trouble.due();
        drop(inside);
        if begins {
            let (max, LimitWording { signal, reached, .. }) = (self.max, self.wording);
            tracing::warn!(signal, "the limit of {max} {reached}");
        }
        due
    }

    fn leave(&self, address: Option<IpAddr>) {
        let address = address.filter(|_| self.by_address);
        let mut inside = self.lock();
        inside.all -= 1;
        inside.remove(address);
        // An eighth must be free, so that the log isn't told at each end of a
        // connection while others wait.
        let has_room = inside.all <= self.max.saturating_sub((self.max / 8).max(1));
        let ends = has_room && inside.trouble.ends();
        drop(inside);
        // All that wait: one of them may be held up by another limit.
        self.room.notify_waiters();
        if let Some(parent) = &self.parent {
            parent.leave(address);
        }
        if ends {
            let LimitWording { signal, over, .. } = self.wording;
            unwinding_stops_here(|| tracing::info!(signal, "{over}"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // No code panics while it holds the lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Returns how many connections come from an address.
    fn from(&self, address: Option<IpAddr>) -> usize {
        self.sources.get(&address).map_or(0, |(count, _)| *count)
    }

    fn add(&mut self, address: Option<IpAddr>, limit: &Arc<ConnectionLimit>) -> Arc<Source> {
        let (count, source) = self.sources.entry(address).or_insert_with(|| {
            let limit = Arc::clone(limit);
            (0, Arc::new(Source { limit, address }))
        });
        *count += 1;
        Arc::clone(source)
    }

    fn remove(&mut self, address: Option<IpAddr>) {
        if let Some((count, _)) = self.sources.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&address);
            }
        }
    }
}

impl ConnectionPermit {
    /// Counts the connection for this address from now on.
    ///
    /// # Errors
    ///
    /// The limit of that address is reached. The connection counts as before.
    pub(crate) fn count_for(&mut self, address: IpAddr) -> Result<(), LimitReached> {
        let Source { limit, address: before } = &*self.source;
        self.source = limit.recount(*before, Some(counted_as(address)))?;
        Ok(())
    }
}

impl SharedPermit {
    pub(crate) fn new(permit: ConnectionPermit) -> SharedPermit {
        SharedPermit(Arc::new(Mutex::new(permit)))
    }

    /// Returns it for one more connection; `None` while another one shares it. To be
    /// called by one task at a time.
    pub(crate) fn share(&self) -> Option<SharedPermit> {
        (Arc::strong_count(&self.0) == 1).then(|| self.clone())
    }

    /// Counts its connections for this address from now on, as
    /// [`ConnectionPermit::count_for`] does; `None` stands for an unknown one.
    pub(crate) fn count_for(&self, address: Option<IpAddr>) -> Result<(), LimitReached> {
        let mut permit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match address.filter(|address| permit.source.address != Some(counted_as(*address))) {
            Some(address) => permit.count_for(address),
            None => Ok(()),
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.source.limit.leave(self.source.address);
    }
}

/// Returns the address as which a client counts: of IPv6 the /64 network, all of
/// which a single host has for itself; an IPv4 address that IPv6 maps is itself.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::base::log::Collected;

    fn limits(max: usize, per_address: usize) -> Limits {
        Limits {
            max_connections: max,
            max_connections_per_address: per_address,
            ..Limits::default()
        }
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([127, 0, 0, last]))
    }

    fn of_signal(max: usize, per_address: usize) -> Arc<ConnectionLimit> {
        let (reached, over) = ("clients is reached", "clients are admitted again");
        let wording = LimitWording { signal: Some("/news"), reached, over };
        ConnectionLimit::new(max, per_address, wording)
    }

    #[test]
    fn a_permit_is_a_pointer_and_shared_by_those_from_one_address() {
        assert_eq!(size_of::<Option<ConnectionPermit>>(), size_of::<usize>());
        let alike = |limit: Arc<ConnectionLimit>| {
            let permits = [1, 1, 2].map(|last| limit.enter(address(last)).unwrap());
            permits.each_ref().map(|permit| Arc::ptr_eq(&permit.source, &permits[0].source))
        };
        assert_eq!(alike(of_signal(3, 2)), [true, true, false]);
        assert_eq!(alike(of_signal(3, usize::MAX)), [true; 3]);
    }

    #[test]
    fn whoever_leaves_makes_room() {
        let server = ConnectionLimit::of_server(&limits(3, 2), 100);
        let (one, other) = (server.enter(address(1)).unwrap(), server.enter(address(1)).unwrap());
        assert_eq!(server.enter(address(1)).unwrap_err(), LimitReached::Address);
        let third = server.enter(address(2)).unwrap();
        assert_eq!(server.enter(address(3)).unwrap_err(), LimitReached::All);
        drop(one);
        let fourth = server.enter(address(1)).unwrap();
        drop((other, third, fourth));
        let inside = server.lock();
        assert_eq!((inside.all, inside.sources.len()), (0, 0));
    }

    #[test]
    fn a_connection_may_turn_out_to_come_from_another_address() {
        let parent = limits(3, 2);
        let server = ConnectionLimit::of_server(&parent, 100);
        let endpoint = server.at(&limits(3, 1), &parent);
        let [one, other] = [1, 2].map(|last| address(last).unwrap());
        let mut first = endpoint.enter(None).unwrap();
        let mut second = endpoint.enter(None).unwrap();
        first.count_for(one).unwrap();
        assert_eq!(second.count_for(one), Err(LimitReached::Address));
        // Who was refused counts nowhere for that address.
        let third = server.enter(Some(one)).unwrap();
        assert_eq!(server.enter(Some(one)).unwrap_err(), LimitReached::All);
        drop(third);
        second.count_for(other).unwrap();
        first.count_for(one).unwrap_err();
        drop(first);
        second.count_for(one).unwrap();
        assert_eq!((endpoint.lock().all, server.lock().all), (1, 1));
        drop(second);
        for limit in [endpoint, server] {
            let inside = limit.lock();
            assert_eq!((inside.all, inside.sources.len()), (0, 0));
        }
    }

    #[test]
    fn two_share_a_permit_and_it_counts_for_one_address() {
        let limit = of_signal(2, 1);
        let permit = SharedPermit::new(limit.enter(address(1)).unwrap());
        let next = permit.share().unwrap();
        assert!(permit.share().is_none() && next.share().is_none());
        // At the limit of that address, too.
        next.count_for(address(1)).unwrap();
        let other = limit.enter(address(2)).unwrap();
        assert_eq!(next.count_for(address(2)), Err(LimitReached::Address));
        assert_eq!(limit.enter(address(3)).unwrap_err(), LimitReached::All);
        drop(other);
        next.count_for(address(2)).unwrap();
        assert_eq!(limit.enter(address(2)).unwrap_err(), LimitReached::Address);
        drop(permit);
        assert!(next.share().is_some());
        drop(next);
        let inside = limit.lock();
        assert_eq!((inside.all, inside.sources.len()), (0, 0));
    }

    #[test]
    fn there_are_never_more_than_the_system_allows() {
        let server = ConnectionLimit::of_server(&Limits::default(), 1);
        let permit = server.enter(address(1)).unwrap();
        assert_eq!(server.enter(address(1)).unwrap_err(), LimitReached::All);
        drop(permit);
        server.enter(address(1)).unwrap();
    }

    #[test]
    fn an_endpoint_counts_besides() {
        let parent = limits(3, usize::MAX);
        let server = ConnectionLimit::of_server(&parent, 100);
        assert!(Arc::ptr_eq(&server, &server.at(&parent, &parent)));
        let endpoint = server.at(&limits(2, 1), &parent);
        let one = endpoint.enter(address(1)).unwrap();
        assert_eq!(endpoint.enter(address(1)).unwrap_err(), LimitReached::Address);
        let other = endpoint.enter(address(2)).unwrap();
        assert_eq!(endpoint.enter(address(3)).unwrap_err(), LimitReached::All);
        // The refused connection was not counted.
        let third = server.enter(address(3)).unwrap();
        assert_eq!(server.enter(address(3)).unwrap_err(), LimitReached::All);
        drop((one, third));
        assert_eq!((endpoint.lock().all, server.lock().all), (1, 1));
        drop(other);
        assert_eq!((endpoint.lock().all, server.lock().all), (0, 0));
    }

    #[tokio::test]
    async fn a_full_server_admits_some_where_it_tells_how_it_is() {
        let server = ConnectionLimit::of_server(&limits(1, 1), 100);
        let told = server.with_spare();
        let usual = told.enter(address(1)).unwrap();
        assert_eq!(server.enter(address(2)).unwrap_err(), LimitReached::All);
        let mut spare: Vec<_> = (0..SPARE).map(|_| told.enter(address(1)).unwrap()).collect();
        assert_eq!(told.enter(address(1)).unwrap_err(), LimitReached::All);
        // Either makes room.
        drop(spare.pop());
        told.room().await;
        spare.push(told.enter(address(1)).unwrap());
        drop(usual);
        told.room().await;
        let _usual = told.enter(address(1)).unwrap();
        assert_eq!(server.enter(address(2)).unwrap_err(), LimitReached::All);
    }

    /// Waits for a permit until none is expected any more.
    async fn wait(server: &ConnectionLimit, seconds: u64) {
        tokio::time::timeout(Duration::from_secs(seconds), server.room()).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_met_again_and_again_is_told_once_a_minute() {
        let (log, _guard) = Collected::begin();
        let server = ConnectionLimit::of_server(&limits(1, usize::MAX), 100);
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
        let server = ConnectionLimit::of_server(&limits(1, usize::MAX), 100);
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
        let server = ConnectionLimit::of_server(&parent, 100);
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

    #[test]
    fn who_comes_from_an_unknown_address_counts_in_all() {
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        let there = Some(IpAddr::from([127, 0, 0, 2]));
        let limit = of_signal(3, 2);
        let first = limit.enter(here).unwrap();
        let second = limit.enter(here).unwrap();
        assert_eq!(limit.enter(here).unwrap_err(), LimitReached::Address);
        let third = limit.enter(there).unwrap();
        assert_eq!(limit.enter(there).unwrap_err(), LimitReached::All);
        assert_eq!(limit.enter(None).unwrap_err(), LimitReached::All);
        drop(first);
        let unknown = limit.enter(None).unwrap();
        drop((second, third, unknown));
        let inside = limit.lock();
        assert_eq!((inside.all, inside.sources.len()), (0, 0));
    }

    #[test]
    fn each_network_of_version_6_is_one_address() {
        let limit = of_signal(3, 1);
        let enter = |address: &str| limit.enter(Some(address.parse().unwrap()));
        let _first = enter("2001:db8::1").unwrap();
        assert_eq!(enter("2001:db8::2").unwrap_err(), LimitReached::Address);
        let _second = enter("2001:db8:0:1::1").unwrap();
        let _third = enter("127.0.0.1").unwrap();
        assert_eq!(enter("::ffff:127.0.0.1").unwrap_err(), LimitReached::All);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_that_is_full_again_and_again_is_told_once_a_minute() {
        let (log, _guard) = Collected::begin();
        let limit = of_signal(1, usize::MAX);
        for _ in 0..61 {
            let permit = limit.enter(None).unwrap();
            for _ in 0..10 {
                assert_eq!(limit.enter(None).unwrap_err(), LimitReached::All);
            }
            drop(permit);
            advance(Duration::from_secs(1)).await;
        }
        let text = log.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        for two in lines.chunks(2) {
            assert!(two[0].contains("WARN the limit of 1 clients is reached"), "{text}");
            assert!(two[1].contains("INFO clients are admitted again"), "{text}");
        }
    }

    #[test]
    fn whoever_is_refused_is_forgotten() {
        let limit = of_signal(3, 0);
        for last in 0..100 {
            let address = Some(IpAddr::from([127, 0, 0, last]));
            assert_eq!(limit.enter(address).unwrap_err(), LimitReached::Address);
        }
        assert!(limit.lock().sources.is_empty());
    }

    #[test]
    fn a_host_is_one_address() {
        let same = |one: &str, other: &str| {
            counted_as(one.parse().unwrap()) == counted_as(other.parse().unwrap())
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:2"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:127.0.0.1", "127.0.0.1"));
        assert!(!same("::ffff:127.0.0.1", "::ffff:127.0.0.2"));
    }
}
