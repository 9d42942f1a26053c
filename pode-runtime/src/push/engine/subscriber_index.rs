//! The index of the clients of a path in one shard, by id and by group.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::slice;
use std::sync::Arc;

use hashbrown::HashTable;
use pode_core::ClientId;

use super::client::Client;
use super::envelope::{Audience, Recipients};
use super::shrink::shrink;
use super::slots::Slots;
use super::subscriber::Subscriber;

/// Finds the slots of clients.
#[derive(Debug, Default)]
pub(super) struct SubscriberIndex {
    /// By path and id, which the clients keep.
    ids: HashTable<u32>,
    hasher: RandomState,
    /// In order, so that a message goes once through the memory of clients.
    members: HashMap<Group, Vec<u32>>,
}

/// A group of a path, or all its clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Group {
    /// Within a family.
    path: Option<Arc<str>>,
    /// `None` for all clients.
    name: Option<Arc<str>>,
}

impl Group {
    fn new(path: Option<&Arc<str>>, name: Option<&Arc<str>>) -> Group {
        Group { path: path.cloned(), name: name.cloned() }
    }
}

impl SubscriberIndex {
    /// Adds a client with its groups. Returns the slot of the client that had
    /// its id, which is no longer found.
    pub(super) fn enter(&mut self, slot: u32, clients: &mut Slots<Client>) -> Option<u32> {
        let Subscriber { path, id, .. } = &clients[slot].subscriber;
        let before = self.find(path.as_ref(), id, clients).copied();
        if let Some(before) = before {
            self.leave(before, &clients[before].subscriber, clients);
        }
        let subscriber = &mut clients[slot].subscriber;
        // All members share the names.
        subscriber.path = self.join(Group::new(subscriber.path.as_ref(), None), slot).path;
        for group in mem::take(&mut subscriber.groups).as_slice() {
            self.join_group(group, slot, subscriber);
        }
        let hash = hash(&self.hasher, subscriber.path.as_ref(), &subscriber.id);
        self.ids.insert_unique(hash, slot, |slot| hash_of(&self.hasher, &clients[*slot]));
        before
    }

    /// Removes a client from the ids and from its groups.
    pub(super) fn leave(&mut self, slot: u32, client: &Subscriber, clients: &Slots<Client>) {
        let hash = hash(&self.hasher, client.path.as_ref(), &client.id);
        // Another client may have its id by now.
        if let Ok(entry) = self.ids.find_entry(hash, |other| *other == slot) {
            entry.remove();
            shrink!(self.ids, |slot| hash_of(&self.hasher, &clients[*slot]));
        }
        self.part(Group::new(client.path.as_ref(), None), slot);
        for group in client.groups.as_slice() {
            self.leave_group(group, slot, client);
        }
        shrink!(self.members);
    }

    /// Adds a client to a group.
    pub(super) fn join_group(&mut self, group: &Arc<str>, slot: u32, client: &mut Subscriber) {
        let group = self.join(Group::new(client.path.as_ref(), Some(group)), slot);
        group.name.into_iter().for_each(|name| client.groups.add(name));
    }

    /// Removes a client from a group.
    pub(super) fn leave_group(&mut self, group: &Arc<str>, slot: u32, client: &Subscriber) {
        self.part(Group::new(client.path.as_ref(), Some(group)), slot);
    }

    /// Adds a member, and returns the group with the names that all share.
    fn join(&mut self, group: Group, slot: u32) -> Group {
        let entry = self.members.entry(group);
        let group = entry.key().clone();
        let members = entry.or_default();
        if let Err(place) = members.binary_search(&slot) {
            members.insert(place, slot);
        }
        group
    }

    fn part(&mut self, group: Group, slot: u32) {
        let Some(members) = self.members.get_mut(&group) else { return };
        if let Ok(place) = members.binary_search(&slot) {
            members.remove(place);
            shrink!(members);
        }
        if members.is_empty() {
            self.members.remove(&group);
        }
    }

    /// Returns the slots of an audience, in their order.
    pub(super) fn select(
        &self,
        audience: &Audience,
        clients: &Slots<Client>,
    ) -> impl Iterator<Item = u32> + use<'_> {
        let path = audience.path.as_ref();
        let except = audience.except.as_ref().and_then(|id| self.find(path, id, clients)).copied();
        let selected = match &audience.recipients {
            Recipients::Everyone => self.members(path, None),
            Recipients::Group(group) => self.members(path, Some(group)),
            Recipients::Client(id) => self.find(path, id, clients).map_or(&[][..], slice::from_ref),
        };
        selected.iter().copied().filter(move |slot| Some(*slot) != except)
    }

    fn members(&self, path: Option<&Arc<str>>, name: Option<&Arc<str>>) -> &[u32] {
        self.members.get(&Group::new(path, name)).map_or(&[], Vec::as_slice)
    }

    fn find(
        &self,
        path: Option<&Arc<str>>,
        id: &ClientId,
        clients: &Slots<Client>,
    ) -> Option<&u32> {
        self.ids.find(hash(&self.hasher, path, id), |slot| {
            let subscriber = &clients[*slot].subscriber;
            subscriber.id == *id && subscriber.path.as_ref() == path
        })
    }
}

fn hash(hasher: &RandomState, path: Option<&Arc<str>>, id: &ClientId) -> u64 {
    hasher.hash_one((path, id))
}

fn hash_of(hasher: &RandomState, client: &Client) -> u64 {
    hash(hasher, client.subscriber.path.as_ref(), &client.subscriber.id)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::super::form::Speaks;
    use super::super::subscriber::Groups;
    use super::*;
    use crate::base::log::access::OpeningTime;

    /// Two clients with one id never are in a table at once.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter { id: u8, path: u8, group: u8 },
        Leave(u32),
        Join(u32, u8),
        Part(u32, u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let slot = 0..12_u32;
        let group = 0..3_u8;
        prop_oneof![
            3 => (0..8_u8, 0..2_u8, group.clone())
                .prop_map(|(id, path, group)| Step::Enter { id, path, group }),
            2 => slot.clone().prop_map(Step::Leave),
            2 => (slot.clone(), group.clone()).prop_map(|(slot, group)| Step::Join(slot, group)),
            1 => (slot, group).prop_map(|(slot, group)| Step::Part(slot, group)),
        ]
    }

    fn text(number: u8) -> Arc<str> {
        number.to_string().into()
    }

    fn id(number: u8) -> ClientId {
        number.to_string().parse().unwrap()
    }

    fn subscriber(id: ClientId, path: Arc<str>, group: Arc<str>) -> Subscriber {
        let (path, groups) = (Some(path), Groups::One(group));
        let opened = OpeningTime::now();
        Subscriber { id, path, groups, arrival: 0, end: None, opened, inbox: None, permit: None }
    }

    /// A client of the table: its id, path and groups, and whether it is found.
    type Row = (u8, u8, BTreeSet<u8>, bool);

    proptest! {
        /// Compares the index with a table of all clients.
        #[test]
        fn whoever_is_meant_is_found(steps in prop::collection::vec(step(), 0..60)) {
            let mut index = SubscriberIndex::default();
            let mut clients = Slots::new();
            let mut table: BTreeMap<u32, Row> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Enter { id: number, path, group } => {
                        let new = subscriber(id(number), text(path), text(group));
                        let slot = clients.insert(Client::new(new, Speaks::Plain));
                        let before = index.enter(slot, &mut clients);
                        let had = table.iter_mut().find(|(_, row)| (row.0, row.1, row.3) == (number, path, true));
                        prop_assert_eq!(before, had.as_ref().map(|(slot, _)| **slot));
                        if let Some((_, row)) = had {
                            row.3 = false;
                        }
                        table.insert(slot, (number, path, BTreeSet::from([group]), true));
                    }
                    Step::Leave(slot) => {
                        if table.remove(&slot).is_some() {
                            let client = clients.remove(slot).unwrap();
                            index.leave(slot, &client.subscriber, &clients);
                        }
                    }
                    Step::Join(slot, group) => {
                        if let Some(row) = table.get_mut(&slot).filter(|row| row.3) {
                            row.2.insert(group);
                            index.join_group(&text(group), slot, &mut clients[slot].subscriber);
                        }
                    }
                    Step::Part(slot, group) => {
                        if let Some(row) = table.get_mut(&slot) {
                            row.2.remove(&group);
                            let client = &mut clients[slot].subscriber;
                            index.leave_group(&text(group), slot, client);
                            client.groups.remove(&text(group));
                        }
                    }
                }
                for path in 0..2 {
                    let selected = |recipients, except: Option<u8>| {
                        let except = except.map(id);
                        let audience = Audience { except, ..Audience::of(Some(text(path)), recipients) };
                        index.select(&audience, &clients).collect::<Vec<_>>()
                    };
                    let expected = |is_meant: &dyn Fn(&Row) -> bool| {
                        let meant = table.iter().filter(|(_, row)| row.3 && row.1 == path && is_meant(row));
                        meant.map(|(slot, _)| *slot).collect::<Vec<_>>()
                    };
                    prop_assert_eq!(selected(Recipients::Everyone, None), expected(&|_| true));
                    prop_assert_eq!(selected(Recipients::Everyone, Some(1)), expected(&|row| row.0 != 1));
                    for group in 0..3 {
                        let found = selected(Recipients::Group(text(group)), Some(2));
                        prop_assert_eq!(found, expected(&|row| row.0 != 2 && row.2.contains(&group)));
                    }
                    let found = selected(Recipients::Client(id(3)), None);
                    prop_assert_eq!(found, expected(&|row| row.0 == 3));
                }
                let found = table.values().filter(|row| row.3);
                prop_assert_eq!(index.ids.len(), found.clone().count());
                let groups: BTreeSet<_> = found
                    .flat_map(|row| row.2.iter().map(|group| (row.1, Some(*group))).chain([(row.1, None)]))
                    .collect();
                prop_assert_eq!(index.members.len(), groups.len());
            }
        }
    }

    /// What one client more takes is little, and what a peak took is returned.
    #[test]
    fn names_are_shared_and_memory_is_returned() {
        let mut index = SubscriberIndex::default();
        let mut clients = Slots::new();
        let add = |index: &mut SubscriberIndex, clients: &mut Slots<Client>| {
            let new = subscriber(ClientId::new(), text(7), text(9));
            let slot = clients.insert(Client::new(new, Speaks::Plain));
            index.enter(slot, clients);
        };
        for _ in 0..10_000 {
            add(&mut index, &mut clients);
        }
        let name = |slot: u32| clients[slot].subscriber.path.clone().unwrap();
        assert!(Arc::ptr_eq(&name(0), &name(9_999)));
        for slot in 10..10_000 {
            let client = clients.remove(slot).unwrap();
            index.leave(slot, &client.subscriber, &clients);
        }
        assert!(index.ids.capacity() <= 64, "{}", index.ids.capacity());
        for members in index.members.values() {
            assert_eq!((members.len(), members.capacity() <= 64), (10, true));
        }
    }
}
