//! How many clients may be in at once: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::supervisor::unwinding_stops_here;
use crate::base::trouble::Trouble;

/// Counts the clients of a signal.
#[derive(Debug)]
pub(crate) struct Door {
    signal: &'static str,
    max_clients: usize,
    max_clients_per_address: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    /// That as many are in as may be.
    trouble: Trouble,
}

/// Who goes through counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    door: Arc<Door>,
    address: Option<IpAddr>,
}

/// Why nobody may go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// As many are in as may be.
    All,
    /// As many are in from this address as may be.
    Address,
}

impl Door {
    /// Makes a door, unless everybody may go through.
    pub(crate) fn new(
        signal: &'static str,
        max_clients: usize,
        max_clients_per_address: usize,
    ) -> Option<Arc<Door>> {
        let is_open = max_clients == usize::MAX && max_clients_per_address == usize::MAX;
        let inside = Mutex::default();
        (!is_open).then(|| Arc::new(Door { signal, max_clients, max_clients_per_address, inside }))
    }

    /// Lets a client through if it may; one whose address isn't known counts
    /// only for all.
    pub(crate) fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Ticket, Full> {
        let mut inside = self.lock();
        if inside.all >= self.max_clients {
            let begins = inside.trouble.begins();
            drop(inside);
            if begins {
                let Door { signal, max_clients: max, .. } = **self;
                tracing::warn!(
                    signal,
                    "there are {max} clients, which is as many as may be (`max_clients`); others are refused until some have gone"
                );
            }
            return Err(Full::All);
        }
        if let Some(address) = address {
            // Who is refused leaves nothing behind, even where nobody may come.
            let from_there = inside.by_address.get(&address).copied().unwrap_or_default();
            if from_there >= self.max_clients_per_address {
                return Err(Full::Address);
            }
            inside.by_address.insert(address, from_there + 1);
        }
        inside.all += 1;
        Ok(Ticket { door: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Nothing that holds the lock can panic midway.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inside = self.door.lock();
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
            let signal = self.door.signal;
            unwinding_stops_here(|| tracing::info!(signal, "there is room for clients again"));
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
        let door = Door::new("/", 3, 2).unwrap();
        let first = door.enter(here).unwrap();
        let second = door.enter(here).unwrap();
        assert_eq!(door.enter(here).unwrap_err(), Full::Address);
        let third = door.enter(there).unwrap();
        assert_eq!(door.enter(there).unwrap_err(), Full::All);
        assert_eq!(door.enter(None).unwrap_err(), Full::All);
        drop(first);
        let unknown = door.enter(None).unwrap();
        drop((second, third, unknown));
        let inside = door.inside.lock().unwrap();
        assert_eq!((inside.all, inside.by_address.len()), (0, 0));
        assert!(Door::new("/", usize::MAX, usize::MAX).is_none());
    }
    #[tokio::test(start_paused = true)]
    async fn a_door_that_is_full_again_and_again_is_told_once_a_minute() {
        let (log, _guard) = Collected::begin();
        let door = Door::new("/news", 1, usize::MAX).unwrap();
        for _ in 0..61 {
            let ticket = door.enter(None).unwrap();
            for _ in 0..10 {
                assert_eq!(door.enter(None).unwrap_err(), Full::All);
            }
            drop(ticket);
            advance(Duration::from_secs(1)).await;
        }
        let text = log.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        for two in lines.chunks(2) {
            assert!(two[0].contains("WARN there are 1 clients"), "{text}");
            assert!(two[1].contains("INFO there is room for clients again"), "{text}");
        }
    }

    #[test]
    fn whoever_is_refused_is_forgotten() {
        let door = Door::new("/", 3, 0).unwrap();
        for last in 0..100 {
            let address = Some(IpAddr::from([127, 0, 0, last]));
            assert_eq!(door.enter(address).unwrap_err(), Full::Address);
        }
        assert!(door.inside.lock().unwrap().by_address.is_empty());
    }
}
