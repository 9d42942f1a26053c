//! How many clients may be in at once: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts the clients of a signal.
#[derive(Debug)]
pub(crate) struct Door {
    max_clients: usize,
    max_clients_per_address: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
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
    pub(crate) fn new(max_clients: usize, max_clients_per_address: usize) -> Option<Arc<Door>> {
        let is_open = max_clients == usize::MAX && max_clients_per_address == usize::MAX;
        let inside = Mutex::default();
        (!is_open).then(|| Arc::new(Door { max_clients, max_clients_per_address, inside }))
    }

    /// Lets a client through if it may; one whose address isn't known counts
    /// only for all.
    pub(crate) fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Ticket, Full> {
        // Nothing that holds the lock can panic midway.
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.all >= self.max_clients {
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
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inside = self.door.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(from_there) = inside.by_address.get_mut(&address) {
            *from_there -= 1;
            if *from_there == 0 {
                inside.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_leaves_makes_room() {
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        let there = Some(IpAddr::from([127, 0, 0, 2]));
        let door = Door::new(3, 2).unwrap();
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
        assert!(Door::new(usize::MAX, usize::MAX).is_none());
    }

    #[test]
    fn whoever_is_refused_is_forgotten() {
        let door = Door::new(3, 0).unwrap();
        for last in 0..100 {
            let address = Some(IpAddr::from([127, 0, 0, last]));
            assert_eq!(door.enter(address).unwrap_err(), Full::Address);
        }
        assert!(door.inside.lock().unwrap().by_address.is_empty());
    }
}
