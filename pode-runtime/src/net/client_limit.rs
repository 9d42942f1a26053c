//! How many clients may be connected at once: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::supervisor::unwinding_stops_here;
use crate::base::trouble::Trouble;
use crate::net::client_address::counted_as;

/// Counts the clients of a signal.
#[derive(Debug)]
pub(crate) struct ClientLimit {
    signal: &'static str,
    max_clients: usize,
    max_clients_per_address: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    /// That the limit is reached.
    trouble: Trouble,
}

/// A client counts until this is dropped.
#[derive(Debug)]
pub(crate) struct ClientPermit {
    limit: Arc<ClientLimit>,
    address: Option<IpAddr>,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientLimitReached {
    /// The limit of all clients.
    All,
    /// The limit of this address.
    Address,
}

impl ClientLimit {
    /// Makes a limit, unless both numbers are unlimited.
    pub(crate) fn new(
        signal: &'static str,
        max_clients: usize,
        max_clients_per_address: usize,
    ) -> Option<Arc<ClientLimit>> {
        let is_open = max_clients == usize::MAX && max_clients_per_address == usize::MAX;
        let inside = Mutex::default();
        (!is_open)
            .then(|| Arc::new(ClientLimit { signal, max_clients, max_clients_per_address, inside }))
    }

    /// Admits a client if the limits allow; a client whose address isn't known
    /// counts only towards all.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: Option<IpAddr>,
    ) -> Result<ClientPermit, ClientLimitReached> {
        let address = address.map(counted_as);
        let mut inside = self.lock();
        if inside.all >= self.max_clients {
            let begins = inside.trouble.begins();
            drop(inside);
            if begins {
                let ClientLimit { signal, max_clients: max, .. } = **self;
                tracing::warn!(
                    signal,
                    "the limit of {max} clients is reached (`max_clients`); others are refused until some have gone"
                );
            }
            return Err(ClientLimitReached::All);
        }
        if let Some(address) = address {
            // Checked before inserting, so that a refused client leaves no
            // entry behind, even if no client may come at all.
            let from_there = inside.by_address.get(&address).copied().unwrap_or_default();
            if from_there >= self.max_clients_per_address {
                return Err(ClientLimitReached::Address);
            }
            inside.by_address.insert(address, from_there + 1);
        }
        inside.all += 1;
        Ok(ClientPermit { limit: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // No code panics while it holds the lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut inside = self.limit.lock();
        inside.all -= 1;
        if let Some(address) = self.address
            && let Some(from_there) = inside.by_address.get_mut(&address)
        {
            *from_there -= 1;
            if *from_there == 0 {
                inside.by_address.remove(&address);
            }
        }
        let ends = inside.trouble.ends();
        drop(inside);
        if ends {
            let signal = self.limit.signal;
            unwinding_stops_here(|| tracing::info!(signal, "clients are admitted again"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::base::log::Collected;

    #[test]
    fn whoever_leaves_makes_room() {
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        let there = Some(IpAddr::from([127, 0, 0, 2]));
        let limit = ClientLimit::new("/", 3, 2).unwrap();
        let first = limit.enter(here).unwrap();
        let second = limit.enter(here).unwrap();
        assert_eq!(limit.enter(here).unwrap_err(), ClientLimitReached::Address);
        let third = limit.enter(there).unwrap();
        assert_eq!(limit.enter(there).unwrap_err(), ClientLimitReached::All);
        assert_eq!(limit.enter(None).unwrap_err(), ClientLimitReached::All);
        drop(first);
        let unknown = limit.enter(None).unwrap();
        drop((second, third, unknown));
        let inside = limit.inside.lock().unwrap();
        assert_eq!((inside.all, inside.by_address.len()), (0, 0));
        assert!(ClientLimit::new("/", usize::MAX, usize::MAX).is_none());
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let limit = ClientLimit::new("/", 3, 1).unwrap();
        let enter = |address: &str| limit.enter(Some(address.parse().unwrap()));
        let _first = enter("2001:db8::1").unwrap();
        assert_eq!(enter("2001:db8::2").unwrap_err(), ClientLimitReached::Address);
        let _second = enter("2001:db8:0:1::1").unwrap();
        let _third = enter("127.0.0.1").unwrap();
        assert_eq!(enter("::ffff:127.0.0.1").unwrap_err(), ClientLimitReached::All);
    }

    #[tokio::test(start_paused = true)]
    async fn a_door_that_is_full_again_and_again_is_told_once_a_minute() {
        let (log, _guard) = Collected::begin();
        let limit = ClientLimit::new("/news", 1, usize::MAX).unwrap();
        for _ in 0..61 {
            let permit = limit.enter(None).unwrap();
            for _ in 0..10 {
                assert_eq!(limit.enter(None).unwrap_err(), ClientLimitReached::All);
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
        let limit = ClientLimit::new("/", 3, 0).unwrap();
        for last in 0..100 {
            let address = Some(IpAddr::from([127, 0, 0, last]));
            assert_eq!(limit.enter(address).unwrap_err(), ClientLimitReached::Address);
        }
        assert!(limit.inside.lock().unwrap().by_address.is_empty());
    }
}
