//! The index of the clients of one path in one shard, by id and by group.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pode_core::ClientId;

use super::envelope::{Audience, Recipients};

/// Finds the slots of clients by id and group.
#[derive(Debug, Default)]
pub(super) struct SubscriberIndex {
    ids: HashMap<ClientId, u32>,
    groups: HashMap<Arc<str>, HashSet<u32>>,
}

impl SubscriberIndex {
    /// Adds a client, and returns the slot of the client that had its id.
    pub(super) fn enter(&mut self, id: ClientId, slot: u32) -> Option<u32> {
        self.ids.insert(id, slot)
    }

    /// Removes a client from the ids and from its groups.
    pub(super) fn leave(&mut self, id: &ClientId, slot: u32, groups: &[Arc<str>]) {
        // Another client may have its id by now.
        if self.ids.get(id) == Some(&slot) {
            self.ids.remove(id);
        }
        for group in groups {
            self.leave_group(group, slot);
        }
    }

    /// Adds a client to a group, and returns the group's name, which all
    /// members share.
    pub(super) fn join_group(&mut self, group: &Arc<str>, slot: u32) -> Arc<str> {
        let name = match self.groups.get_key_value(group) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::clone(group),
        };
        self.groups.entry(Arc::clone(&name)).or_default().insert(slot);
        name
    }

    pub(super) fn leave_group(&mut self, group: &str, slot: u32) {
        if let Some(members) = self.groups.get_mut(group) {
            members.remove(&slot);
            if members.is_empty() {
                self.groups.remove(group);
            }
        }
    }

    /// Returns the slots of an audience, in no particular order.
    pub(super) fn select(&self, audience: &Audience) -> Vec<u32> {
        let except = audience.except.as_ref().and_then(|id| self.ids.get(id)).copied();
        let not_excepted = |slot: &u32| Some(*slot) != except;
        match &audience.recipients {
            Recipients::Everyone => self.ids.values().copied().filter(not_excepted).collect(),
            Recipients::Group(group) => {
                let members = self.groups.get(group).into_iter().flatten();
                members.copied().filter(not_excepted).collect()
            }
            Recipients::Client(id) => {
                self.ids.get(id).copied().filter(not_excepted).into_iter().collect()
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.groups.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(slot: u32) -> ClientId {
        slot.to_string().parse().unwrap()
    }

    fn audience(recipients: Recipients, except: Option<u32>) -> Audience {
        Audience { path: None, recipients, except: except.map(id) }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(u32),
        Leave(u32),
        Join(u32, u32),
        Part(u32, u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let client = 0..8_u32;
        let group = 0..3_u32;
        prop_oneof![
            client.clone().prop_map(Step::Enter),
            client.clone().prop_map(Step::Leave),
            (client.clone(), group.clone()).prop_map(|(client, group)| Step::Join(client, group)),
            (client, group).prop_map(|(client, group)| Step::Part(client, group)),
        ]
    }

    proptest! {
        /// Compares the index with a table of each client's groups.
        #[test]
        fn whoever_is_meant_is_found(steps in prop::collection::vec(step(), 0..60)) {
            let mut index = SubscriberIndex::default();
            // The groups of each client.
            let mut table: HashMap<u32, HashSet<u32>> = HashMap::new();
            let name = |group: u32| -> Arc<str> { format!("group {group}").into() };
            for step in steps {
                match step {
                    Step::Enter(client) => {
                        let had = index.enter(id(client), client);
                        prop_assert_eq!(had.is_some(), table.contains_key(&client));
                        table.entry(client).or_default();
                    }
                    Step::Leave(client) => {
                        let groups = table.remove(&client).unwrap_or_default();
                        let groups: Vec<_> = groups.into_iter().map(name).collect();
                        index.leave(&id(client), client, &groups);
                    }
                    Step::Join(client, group) => {
                        if let Some(groups) = table.get_mut(&client) {
                            groups.insert(group);
                            index.join_group(&name(group), client);
                        }
                    }
                    Step::Part(client, group) => {
                        if let Some(groups) = table.get_mut(&client) {
                            groups.remove(&group);
                            index.leave_group(&name(group), client);
                        }
                    }
                }
                let selected = |recipients: Recipients, except| {
                    index.select(&audience(recipients, except)).into_iter().collect::<HashSet<_>>()
                };
                let expected = |is_meant: &dyn Fn(u32, &HashSet<u32>) -> bool| {
                    let meant = table.iter().filter(|(client, groups)| is_meant(**client, groups));
                    meant.map(|(client, _)| *client).collect::<HashSet<_>>()
                };
                prop_assert_eq!(selected(Recipients::Everyone, None), expected(&|_, _| true));
                prop_assert_eq!(selected(Recipients::Everyone, Some(1)), expected(&|client, _| client != 1));
                for group in 0..3 {
                    let recipients = Recipients::Group(name(group));
                    let found = selected(recipients, Some(2));
                    prop_assert_eq!(found, expected(&|client, groups| client != 2 && groups.contains(&group)));
                }
                let found = selected(Recipients::Client(id(3)), None);
                prop_assert_eq!(found, expected(&|client, _| client == 3));
                prop_assert_eq!(index.is_empty(), table.is_empty());
            }
        }
    }

    #[test]
    fn whoever_takes_an_id_keeps_it_when_the_other_goes() {
        let mut index = SubscriberIndex::default();
        assert_eq!(index.enter(id(1), 4), None);
        assert_eq!(index.enter(id(1), 5), Some(4));
        index.leave(&id(1), 4, &[]);
        assert_eq!(index.select(&audience(Recipients::Client(id(1)), None)), [5]);
    }
}
