//! What is kept of one path: its messages in their order, and of those that have a
//! key, the newest of each.

use super::ring::{Entry, Ring};
use super::state::State;
use super::stored::{Stored, merged};
use super::{LogBounds, LogEntry, Rank, SLACK_BYTES, SLACK_MESSAGES, Weigh};

#[derive(Clone, Debug)]
pub(super) struct PathLog<A> {
    ring: Ring<A>,
    /// Absent while nothing has a key.
    state: Option<Box<State>>,
    /// Messages below this number may be missing, and keys or removals whose last
    /// change was.
    pub(super) dropped_to: u64,
}

impl<A: Weigh> PathLog<A> {
    pub(super) fn new(dropped_to: u64) -> PathLog<A> {
        PathLog { ring: Ring::default(), state: None, dropped_to }
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len() + self.state.as_ref().map_or(0, |state| state.values() + state.removals())
    }

    /// Returns what its messages count.
    pub(super) fn bytes(&self) -> usize {
        self.ring.bytes() + self.state.as_ref().map_or(0, |state| state.bytes())
    }

    /// Adds a message, whose number is higher than all before.
    pub(super) fn push(&mut self, number: u64, sent: u32, entry: LogEntry<'_, A>) {
        let LogEntry { audience, key, frame, .. } = entry;
        match key {
            Some(key) => self.state.get_or_insert_default().push(number, sent, key, frame),
            None => self.ring.push(number, sent, audience, frame),
        }
    }

    /// Returns the first message of each rank; the places are always the same.
    pub(super) fn firsts(&self, bounds: LogBounds) -> [Option<(Rank, u64)>; 3] {
        let state = self.state.as_ref();
        let rank = if self.ring.len() > bounds.messages { Rank::Spare } else { Rank::Promised };
        [
            self.ring.first().map(|entry| (rank, entry.number)),
            state.and_then(|it| it.first_removal()).map(|(number, _)| (Rank::Removal, number)),
            state.and_then(|it| it.first_value()).map(|(number, _)| (Rank::Value, number)),
        ]
    }

    /// Returns when the first message of a rank was sent.
    pub(super) fn first_sent(&self, rank: Rank) -> Option<u32> {
        let state = self.state.as_ref();
        match rank {
            Rank::Spare | Rank::Promised => self.ring.first().map(|entry| entry.sent),
            Rank::Removal => state.and_then(|it| it.first_removal()).map(|(_, it)| it.sent),
            Rank::Value => state.and_then(|it| it.first_value()).map(|(_, it)| it.sent),
        }
    }

    /// Returns the rank of which there is more than there may be.
    pub(super) fn excess(&self, messages: usize) -> Option<Rank> {
        let is_roomy =
            messages > 0 && self.ring.len() <= SLACK_MESSAGES && self.ring.bytes() <= SLACK_BYTES;
        if self.ring.len() > messages && !is_roomy {
            return Some(Rank::Spare);
        }
        let state = self.state.as_ref()?;
        if state.values() > messages {
            return Some(Rank::Value);
        }
        (state.removals() > messages).then_some(Rank::Removal)
    }

    /// Drops the first message of a rank.
    pub(super) fn pop(&mut self, rank: Rank) {
        let number = match (rank, &mut self.state) {
            (Rank::Spare | Rank::Promised, _) => self.ring.pop(),
            (Rank::Removal, Some(state)) => state.pop_removal(),
            (Rank::Value, Some(state)) => state.pop_value(),
            (Rank::Removal | Rank::Value, None) => None,
        };
        self.state.take_if(|state| state.values() + state.removals() == 0);
        self.dropped_to = self.dropped_to.max(number.map_or(0, |number| number + 1));
    }

    /// Returns the messages from a number on.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = Stored<'_, A>> {
        let keyed = self.state.iter().flat_map(move |state| state.since(number));
        let others = self.ring.since(number).map(|(entry, frame)| Stored {
            number: entry.number,
            sent: entry.sent,
            audience: entry.audience.as_ref(),
            key: None,
            frame,
        });
        merged(others, keyed, Stored::is_before)
    }

    /// Returns the entries of messages without a key, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Entry<A>> {
        self.ring.newest_first()
    }

    /// As [`Log::newest_values`](super::Log::newest_values).
    pub(super) fn newest_values(&self, until: u64, most: usize) -> Option<u64> {
        self.state.as_ref()?.newest_values(until, most)
    }
}
