//! The newest message of each key at one path, and which keys were removed.
//!
//! A message that another one of its key replaces is gone, with all its memory; but it
//! isn't missing, as the newer one is there.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::stored::{Stored, merged};

/// What a key takes of the bytes that a log may have, besides its text and its
/// message: its places in two trees, and two allocations.
pub(super) const KEY_BYTES: usize = 160;

/// What a path with keys takes besides: these trees.
pub(super) const STATE_BYTES: usize = 1024;

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// By number, so in the order of the last change.
    values: BTreeMap<u64, Change>,
    removals: BTreeMap<u64, Change>,
    /// Where each key is in these.
    numbers: BTreeMap<Arc<str>, u64>,
    bytes: usize,
}

/// The last that happened to a key.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: Arc<str>,
    /// Empty if the key was removed.
    pub(super) frame: Box<[u8]>,
    /// When it was sent, in seconds.
    pub(super) sent: u32,
}

impl State {
    /// Returns how many keys have a message.
    pub(super) fn values(&self) -> usize {
        self.values.len()
    }

    /// Returns how many removals are known.
    pub(super) fn removals(&self) -> usize {
        self.removals.len()
    }

    /// Returns what all of it counts.
    pub(super) fn bytes(&self) -> usize {
        STATE_BYTES + self.bytes
    }

    /// Keeps a message, whose number is higher than all before, instead of the one
    /// that its key had.
    pub(super) fn push(&mut self, number: u64, sent: u32, key: &Arc<str>, frame: &[u8]) {
        let key = match self.numbers.get_mut(key) {
            Some(place) => {
                let before = mem::replace(place, number);
                self.take(before).map(|change| change.key)
            }
            None => {
                self.numbers.insert(Arc::clone(key), number);
                None
            }
        }
        .unwrap_or_else(|| Arc::clone(key));
        let change = Change { key, frame: frame.into(), sent };
        self.bytes += change.bytes();
        match frame.is_empty() {
            true => self.removals.insert(number, change),
            false => self.values.insert(number, change),
        };
    }

    /// Forgets the removal that was longest ago; returns its number.
    pub(super) fn pop_removal(&mut self) -> Option<u64> {
        let (number, _) = self.first_removal()?;
        self.forget(number);
        Some(number)
    }

    /// Drops the message of the key that hasn't changed for the longest time; returns
    /// its number.
    pub(super) fn pop_value(&mut self) -> Option<u64> {
        let (number, _) = self.first_value()?;
        self.forget(number);
        Some(number)
    }

    pub(super) fn first_removal(&self) -> Option<(u64, &Change)> {
        self.removals.first_key_value().map(|(number, change)| (*number, change))
    }

    pub(super) fn first_value(&self) -> Option<(u64, &Change)> {
        self.values.first_key_value().map(|(number, change)| (*number, change))
    }

    /// Returns the number from which on there are as many messages before `until`, or
    /// all.
    pub(super) fn newest_values(&self, until: u64, most: usize) -> Option<u64> {
        if most >= self.values.len() {
            return self.first_value().map(|(number, _)| number).filter(|number| *number < until);
        }
        self.values.range(..until).rev().take(most).last().map(|(number, _)| *number)
    }

    /// Returns the changes from a number on.
    pub(super) fn since<'log, A: 'log>(
        &'log self,
        number: u64,
    ) -> impl Iterator<Item = Stored<'log, A>> {
        let [values, removals] = [&self.values, &self.removals]
            .map(|changes| changes.range(number..).map(|(number, change)| change.stored(*number)));
        merged(values, removals, Stored::is_before)
    }

    fn forget(&mut self, number: u64) {
        if let Some(change) = self.take(number) {
            self.numbers.remove(&change.key);
        }
    }

    fn take(&mut self, number: u64) -> Option<Change> {
        let change = self.values.remove(&number).or_else(|| self.removals.remove(&number))?;
        self.bytes -= change.bytes();
        Some(change)
    }
}

impl Change {
    fn stored<A>(&self, number: u64) -> Stored<'_, A> {
        let Change { key, frame, sent } = self;
        Stored { number, sent: *sent, audience: None, key: Some(key), frame }
    }

    fn bytes(&self) -> usize {
        self.key.len() + self.frame.len() + KEY_BYTES
    }
}
