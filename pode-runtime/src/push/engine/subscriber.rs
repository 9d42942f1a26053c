//! The subscriber: a client's id, path, groups and inbox.

use std::sync::Arc;
use std::{mem, slice};

use pode_core::ClientId;

use super::envelope::MAX_GROUP_BYTES;
use super::inbox::Inbox;
use crate::base::log::access::OpeningTime;
use crate::net::connection_limit::SharedPermit;
use crate::push::session::DisconnectReason;

/// The identity of a client to the rest of the server.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) id: ClientId,
    /// Its own path within a family.
    pub(super) path: Option<Arc<str>>,
    /// Usually few. The names are shared with the subscriber index.
    pub(super) groups: Groups,
    /// Tells which of two clients with one id came later.
    pub(super) arrival: u64,
    /// Why it disconnects, once that is decided.
    pub(super) end: Option<DisconnectReason>,
    /// For the log.
    pub(super) opened: OpeningTime,
    /// Present if there is a handler for its messages or its disconnect.
    pub(super) inbox: Option<Box<Inbox>>,
    /// Counts it as long as it is connected, unless its session does.
    pub(super) permit: Option<SharedPermit>,
}

impl Subscriber {
    /// Returns what names the sequence of its messages, if it may send any by `pode.v1`.
    pub(super) fn sequence(&self) -> Option<[u8; 16]> {
        self.inbox.as_ref()?.sequence()
    }

    /// Returns its permit for the connection that is to take its place, if it has one
    /// that no other shares.
    pub(super) fn share_permit(&self) -> Option<SharedPermit> {
        self.permit.as_ref().or_else(|| self.inbox.as_ref()?.permit())?.share()
    }
}

/// The groups of a client. A single group needs no allocation of its own: a
/// client's small data stays together with that of other clients, instead of
/// being scattered among the memory that handshakes leave behind.
#[derive(Debug)]
pub(crate) enum Groups {
    One(Arc<str>),
    /// Absent if there are none.
    #[expect(clippy::box_collection, reason = "a thin pointer: so this is two words small")]
    Several(Option<Box<Vec<Arc<str>>>>),
}

/// In how many groups a client may be. A message to one group costs nothing of this,
/// but whatever concerns all groups of a client does.
pub(crate) const MAX_GROUPS: usize = 1_000;

impl Default for Groups {
    fn default() -> Groups {
        Groups::Several(None)
    }
}

impl Groups {
    pub(crate) fn as_slice(&self) -> &[Arc<str>] {
        match self {
            Groups::One(group) => slice::from_ref(group),
            Groups::Several(groups) => groups.as_ref().map_or(&[], |groups| groups),
        }
    }

    /// Adds a group, unless it is there already. One more than may be is added,
    /// so that [`are_allowed`](Self::are_allowed) tells.
    pub(crate) fn add(&mut self, group: Arc<str>) {
        if self.as_slice().len() > MAX_GROUPS || self.as_slice().contains(&group) {
            return;
        }
        *self = match mem::take(self) {
            Groups::Several(None) => Groups::One(group),
            Groups::One(first) => Groups::Several(Some(Box::new(vec![first, group]))),
            Groups::Several(Some(mut groups)) => {
                groups.push(group);
                Groups::Several(Some(groups))
            }
        };
    }

    /// Whether a client may be in all of them.
    pub(crate) fn are_allowed(&self) -> bool {
        let groups = self.as_slice();
        groups.len() <= MAX_GROUPS && groups.iter().all(|name| name.len() <= MAX_GROUP_BYTES)
    }

    /// Whether there is room for another one.
    pub(super) fn may_grow(&self) -> bool {
        self.as_slice().len() < MAX_GROUPS
    }

    pub(super) fn remove(&mut self, group: &str) {
        match self {
            Groups::One(only) if **only == *group => *self = Groups::default(),
            Groups::Several(Some(groups)) => groups.retain(|other| **other != *group),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_there_once() {
        let mut groups = Groups::default();
        for name in ["a", "b", "a", "c", "b"] {
            groups.add(name.into());
        }
        let names = |groups: &Groups| groups.as_slice().join(" ");
        assert_eq!(names(&groups), "a b c");
        groups.remove("b");
        groups.remove("d");
        assert_eq!(names(&groups), "a c");
        let mut only = Groups::default();
        only.add("a".into());
        only.remove("b");
        assert_eq!(names(&only), "a");
        assert!(only.are_allowed());
        only.remove("a");
        assert_eq!(names(&only), "");
    }

    #[test]
    fn a_client_has_a_number_of_groups() {
        let mut groups = Groups::default();
        for number in 0..MAX_GROUPS {
            assert!(groups.may_grow());
            groups.add(number.to_string().into());
        }
        assert!(groups.are_allowed() && !groups.may_grow());
        for number in 0..3 * MAX_GROUPS {
            groups.add(number.to_string().into());
        }
        assert!(!groups.are_allowed());
        assert_eq!(groups.as_slice().len(), MAX_GROUPS + 1);
        let mut long = Groups::default();
        long.add("x".repeat(MAX_GROUP_BYTES + 1).into());
        assert!(!long.are_allowed());
    }
}
