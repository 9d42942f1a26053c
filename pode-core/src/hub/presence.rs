//! Who is present at the paths of a channel.
//!
//! A table that only [changes](PresenceChange) in the channel's order, so whoever has
//! seen the same changes has the same table: the channel's log, and each shard with
//! clients of the path.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::client_id::ClientId;

/// A path within a family; none, if the channel's signal has but one.
type Path = Option<Arc<str>>;

/// One connection of a client that is present.
///
/// A client may have several at a time: the next one may begin before the last one has
/// ended, also in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stay {
    /// The process that has the connection.
    pub node: u64,
    /// Which of that process's.
    pub number: u64,
}

/// A client that is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// What it last said of itself, as JSON.
    pub info: Arc<str>,
    /// At least one.
    pub stays: Vec<Stay>,
}

/// A change of who is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresenceChange {
    /// A stay begins, or goes on with another info.
    Join {
        /// Where.
        path: Option<Arc<str>>,
        /// Of whom.
        id: ClientId,
        /// What the client says of itself, as JSON.
        info: Arc<str>,
        /// The stay.
        stay: Stay,
    },
    /// A stay ends. Without another one, the client leaves.
    Leave {
        /// Where.
        path: Option<Arc<str>>,
        /// Of whom.
        id: ClientId,
        /// The stay.
        stay: Stay,
    },
    /// The stays of all other processes end: they are gone.
    Only {
        /// The process that remains.
        node: u64,
    },
    /// The stays of a process end: it is gone.
    Without {
        /// That process.
        node: u64,
    },
    /// These are all stays of a process.
    All {
        /// That process.
        node: u64,
        /// Its clients.
        clients: Vec<Attending>,
    },
    /// Each process is to say who [all](Self::All) of its clients are. Nothing changes by
    /// that alone.
    Ask,
}

/// A client of a process, with one of its stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attending {
    /// Where.
    pub path: Option<Arc<str>>,
    /// Who.
    pub id: ClientId,
    /// What it says of itself, as JSON.
    pub info: Arc<str>,
    /// The number of the stay.
    pub number: u64,
}

/// What clients of a path learn of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceNews {
    /// The path.
    pub path: Option<Arc<str>>,
    /// Who has come or gone.
    pub id: ClientId,
    /// What the client says of itself; `None` if it has left.
    pub info: Option<Arc<str>>,
}

/// Who is present, at each path of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    paths: BTreeMap<Path, BTreeMap<ClientId, Present>>,
}

impl Presence {
    /// Returns who is present at a path, in the order of their ids.
    pub fn at(
        &self,
        path: &Option<Arc<str>>,
    ) -> impl ExactSizeIterator<Item = (&ClientId, &Present)> {
        static NOBODY: BTreeMap<ClientId, Present> = BTreeMap::new();
        self.paths.get(path).unwrap_or(&NOBODY).iter()
    }

    /// Returns a client that is present at a path.
    pub fn client(&self, path: &Option<Arc<str>>, id: &ClientId) -> Option<&Present> {
        self.paths.get(path)?.get(id)
    }

    /// Returns the changes that make this table of an empty one.
    pub fn changes(&self) -> impl Iterator<Item = PresenceChange> {
        self.all().flat_map(|(path, id, Present { info, stays })| {
            stays.iter().map(move |stay| PresenceChange::Join {
                path: path.clone(),
                id: id.clone(),
                info: Arc::clone(info),
                stay: *stay,
            })
        })
    }

    /// Returns who is present at any path.
    fn all(&self) -> impl Iterator<Item = (&Option<Arc<str>>, &ClientId, &Present)> {
        self.paths.iter().flat_map(|(path, clients)| {
            clients.iter().map(move |(id, present)| (path, id, present))
        })
    }

    /// Returns the processes that have stays.
    pub fn nodes(&self) -> BTreeSet<u64> {
        self.all().flat_map(|(_, _, present)| present.stays.iter().map(|stay| stay.node)).collect()
    }

    /// Changes the table; returns what is news by that. A stay that begins twice, or ends
    /// without having begun, is none.
    pub fn apply(&mut self, change: &PresenceChange) -> Vec<PresenceNews> {
        match change {
            PresenceChange::Join { path, id, info, stay } => {
                let clients = self.paths.entry(path.clone()).or_default();
                let news = || PresenceNews {
                    path: path.clone(),
                    id: id.clone(),
                    info: Some(Arc::clone(info)),
                };
                match clients.get_mut(id) {
                    Some(present) => {
                        if !present.stays.contains(stay) {
                            present.stays.push(*stay);
                        }
                        let before = std::mem::replace(&mut present.info, Arc::clone(info));
                        if before == *info { Vec::new() } else { vec![news()] }
                    }
                    None => {
                        let present = Present { info: Arc::clone(info), stays: vec![*stay] };
                        clients.insert(id.clone(), present);
                        vec![news()]
                    }
                }
            }
            PresenceChange::Leave { path, id, stay } => {
                let Some(clients) = self.paths.get_mut(path) else { return Vec::new() };
                let Some(present) = clients.get_mut(id) else { return Vec::new() };
                present.stays.retain(|other| other != stay);
                if !present.stays.is_empty() {
                    return Vec::new();
                }
                clients.remove(id);
                if clients.is_empty() {
                    self.paths.remove(path);
                }
                vec![PresenceNews { path: path.clone(), id: id.clone(), info: None }]
            }
            PresenceChange::Only { node } => self.end(|_, _, stay| stay.node != *node),
            PresenceChange::Without { node } => self.end(|_, _, stay| stay.node == *node),
            PresenceChange::All { node, clients } => {
                let there: BTreeSet<_> =
                    clients.iter().map(|it| (&it.path, &it.id, it.number)).collect();
                let is_over = |path: &_, id: &_, stay: &Stay| {
                    stay.node == *node && !there.contains(&(path, id, stay.number))
                };
                let mut news = self.end(is_over);
                for Attending { path, id, info, number } in clients {
                    let (path, id, info) = (path.clone(), id.clone(), Arc::clone(info));
                    let stay = Stay { node: *node, number: *number };
                    news.extend(self.apply(&PresenceChange::Join { path, id, info, stay }));
                }
                news
            }
            PresenceChange::Ask => Vec::new(),
        }
    }

    /// Ends stays; returns who has left by that.
    fn end(&mut self, is_over: impl Fn(&Path, &ClientId, &Stay) -> bool) -> Vec<PresenceNews> {
        let mut news = Vec::new();
        self.paths.retain(|path, clients| {
            clients.retain(|id, present| {
                present.stays.retain(|stay| !is_over(path, id, stay));
                if present.stays.is_empty() {
                    news.push(PresenceNews { path: path.clone(), id: id.clone(), info: None });
                }
                !present.stays.is_empty()
            });
            !clients.is_empty()
        });
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(node: u64, number: u64) -> Stay {
        Stay { node, number }
    }

    fn join(id: &str, info: &str, stay: Stay) -> PresenceChange {
        PresenceChange::Join { path: None, id: id.parse().unwrap(), info: info.into(), stay }
    }

    fn leave(id: &str, stay: Stay) -> PresenceChange {
        PresenceChange::Leave { path: None, id: id.parse().unwrap(), stay }
    }

    /// Returns what is news, as text.
    fn told(presence: &mut Presence, change: &PresenceChange) -> String {
        let news = presence.apply(change).into_iter().map(|PresenceNews { id, info, .. }| {
            info.map_or(format!("-{id}"), |info| format!("+{id} {info}"))
        });
        news.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_client_leaves_with_its_last_stay() {
        let presence = &mut Presence::default();
        assert_eq!(told(presence, &join("ada", "1", stay(1, 1))), "+ada 1");
        // It comes back, here or elsewhere, before its first connection has ended.
        assert_eq!(told(presence, &join("ada", "1", stay(1, 2))), "");
        assert_eq!(told(presence, &join("ada", "2", stay(2, 1))), "+ada 2");
        assert_eq!(told(presence, &join("ada", "3", stay(2, 1))), "+ada 3");
        for gone in [stay(1, 1), stay(1, 1), stay(2, 1), stay(3, 3)] {
            assert_eq!(told(presence, &leave("ada", gone)), "");
        }
        assert_eq!(told(presence, &leave("ada", stay(1, 2))), "-ada");
        assert_eq!(told(presence, &leave("ada", stay(1, 2))), "");
        assert_eq!(*presence, Presence::default());
    }

    #[test]
    fn who_was_at_other_processes_leaves_with_them() {
        let presence = &mut Presence::default();
        for (id, stay) in [("ada", stay(1, 1)), ("ada", stay(2, 1)), ("bob", stay(2, 2))] {
            presence.apply(&join(id, "1", stay));
        }
        assert_eq!(presence.nodes(), BTreeSet::from([1, 2]));
        assert_eq!(told(presence, &PresenceChange::Only { node: 1 }), "-bob");
        assert_eq!(presence.nodes(), BTreeSet::from([1]));
        assert_eq!(presence.at(&None).map(|(id, _)| id.to_string()).collect::<Vec<_>>(), ["ada"]);
        assert_eq!(told(presence, &PresenceChange::Only { node: 3 }), "-ada");
        assert_eq!(*presence, Presence::default());
    }

    #[test]
    fn a_process_that_says_who_is_there_is_right() {
        let presence = &mut Presence::default();
        for (id, stay) in [("ada", stay(1, 1)), ("bob", stay(1, 2)), ("bob", stay(2, 1))] {
            presence.apply(&join(id, "1", stay));
        }
        let attending = |id: &str, info: &str, number| Attending {
            path: None,
            id: id.parse().unwrap(),
            info: info.into(),
            number,
        };
        let clients = vec![attending("carl", "1", 3), attending("bob", "1", 4)];
        let all = PresenceChange::All { node: 1, clients };
        assert_eq!(told(presence, &all), "-ada +carl 1");
        assert_eq!(told(presence, &all), "");
        assert_eq!(told(presence, &PresenceChange::Ask), "");
        assert_eq!(told(presence, &PresenceChange::Without { node: 2 }), "");
        assert_eq!(told(presence, &PresenceChange::Without { node: 1 }), "-bob -carl");
        assert_eq!(*presence, Presence::default());
    }
}
