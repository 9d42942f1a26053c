//! The log of a channel: its messages by number, kept for a while, so that a
//! client that was away or is slow gets what it missed.
//!
//! A client that isn't live is a number into the log. What is kept is kept once, for
//! each [`path`], whoever may need it: in a [`ring`], or if it has a key, in the
//! [`state`] of which messages with the same key replace each other. [`read`] finds in it
//! what a client gets, and what is missing. Who is [present](Presence) stands beside it,
//! under the same lock.

#[cfg(test)]
mod key_tests;
mod path;
mod read;
mod ring;
mod state;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use self::path::PathLog;
pub use self::read::{Frames, Snapshot, Wanted};
pub use self::stored::Stored;
use super::{Position, Presence, PresenceChange};

/// How many messages of a path are kept while there is room, even if fewer are
/// promised: as many as would wait for a slow client without a log.
const SLACK_MESSAGES: usize = 1024;
const SLACK_BYTES: usize = 1 << 20;

/// How many epochs before the last are known.
const MAX_EPOCHS: usize = 16;

/// How many paths without messages are known exactly.
const MAX_EMPTIED: usize = 1024;

/// For how many seconds it is known that a key was removed, if messages have no age.
const REMOVAL_AGE: u32 = 60 * 60;

/// How much a log keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogBounds {
    /// How many messages of each path are promised; more are kept while there is
    /// room. Of those with a key, as many keys are kept, and as many removals. At 0,
    /// nothing is kept, but messages have numbers.
    pub messages: usize,
    /// For how many seconds a message is kept at most, unless it is the newest of its
    /// key; without, a removal is kept for an hour.
    pub age: Option<u32>,
    /// What all messages of the channel may take: their frames, [`ENTRY_BYTES`]
    /// each, what their audiences [weigh](Weigh::bytes), and for each path of a
    /// family its name and [`PATH_BYTES`]; with a key, this and [`KEY_BYTES`], and
    /// [`STATE_BYTES`] for a path with keys. The newest one may be larger.
    pub bytes: usize,
}

/// What a kept message takes besides its frame.
pub const ENTRY_BYTES: usize = ring::ENTRY_BYTES;

/// What one with a key takes besides its frame and its key.
pub const KEY_BYTES: usize = state::KEY_BYTES;

/// What a path with keys takes besides these.
pub const STATE_BYTES: usize = state::STATE_BYTES;

/// What a path takes besides its name and messages: a place in three trees, and
/// what of its first chunk is free.
pub const PATH_BYTES: usize = 512;

/// Not all messages from a number on are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("messages before number {until} are no longer kept")]
pub struct LogGap {
    /// From here on they are.
    pub until: u64,
}

/// A path within a family; none, if the channel's signal has but one.
type Path = Option<Arc<str>>;

/// The messages of a channel. `A` says for whom a message is that isn't for
/// everyone at its path.
///
/// Times are seconds of any one clock.
#[derive(Clone, Debug)]
pub struct Log<A> {
    /// The position of the next message.
    position: Position,
    /// The epochs before, each with the number at which the next one began: up to
    /// there its positions are good.
    earlier: Vec<(u64, u64)>,
    declared: LogBounds,
    /// What is kept now, which may be more.
    bounds: LogBounds,
    /// The paths that have messages, or had some not long ago; and always no path:
    /// of a family, messages that are for all its paths.
    paths: BTreeMap<Path, PathLog<A>>,
    /// Whose message is dropped next.
    oldest: BTreeMap<(Rank, u64), Path>,
    /// Paths without messages, by the number up to which they are dropped.
    emptied: BTreeSet<(u64, Path)>,
    len: usize,
    bytes: usize,
    /// Below this number, messages of other paths may be missing.
    forgotten_to: u64,
    /// Below this number, messages are missing that were never here.
    lacking_to: u64,
    /// Below this number, there are but [the last ones](Self::lose_all_but).
    last_alone_to: u64,
    /// Who is present, at this position.
    presence: Presence,
}

/// What may be dropped, in this order; of the last two, whatever is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// More than was promised.
    Spare,
    /// That a key was removed.
    Removal,
    Promised,
    /// The newest message of a key.
    Value,
}

/// Takes memory.
pub trait Weigh {
    /// Returns how many bytes it takes.
    fn bytes(&self) -> usize;
}

impl Weigh for Infallible {
    fn bytes(&self) -> usize {
        match *self {}
    }
}

/// A message to keep.
#[derive(Debug)]
pub struct LogEntry<'message, A> {
    /// Its path within a family.
    pub path: Option<&'message Arc<str>>,
    /// Absent if it is for everyone there, as is all that has a key.
    pub audience: Option<Arc<A>>,
    /// With a key, it replaces the message that has had it.
    pub key: Option<&'message Arc<str>>,
    /// The message as it is sent; empty if its key is removed.
    pub frame: &'message [u8],
}

/// A kept message.
#[derive(Debug)]
pub struct Kept<'log, A> {
    /// Its number.
    pub number: u64,
    /// When it was sent.
    pub sent: u32,
    /// The message.
    pub entry: LogEntry<'log, A>,
}

impl<A: Weigh> Log<A> {
    /// Begins a log at a position.
    pub fn new(position: Position, bounds: LogBounds) -> Log<A> {
        Log {
            position,
            earlier: Vec::new(),
            declared: bounds,
            bounds,
            paths: BTreeMap::from([(None, PathLog::new(position.number))]),
            oldest: BTreeMap::new(),
            emptied: BTreeSet::new(),
            len: 0,
            bytes: 0,
            forgotten_to: position.number,
            lacking_to: 0,
            last_alone_to: 0,
            presence: Presence::default(),
        }
    }

    /// Returns the position of the next message.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns how much it keeps.
    pub fn bounds(&self) -> LogBounds {
        self.bounds
    }

    /// Keeps at least so much from now on, whatever was declared; but nothing longer
    /// than an age that was.
    pub fn keep_at_least(&mut self, least: LogBounds, now: u32) {
        let LogBounds { messages, age, bytes } = self.declared;
        let age = if messages == 0 { least.age } else { age };
        let (messages, bytes) = (messages.max(least.messages), bytes.max(least.bytes));
        self.set_bounds(LogBounds { messages, age, bytes }, now);
    }

    /// Keeps what was declared from now on.
    pub fn keep_as_declared(&mut self, now: u32) {
        self.set_bounds(self.declared, now);
    }

    fn set_bounds(&mut self, bounds: LogBounds, now: u32) {
        self.bounds = bounds;
        let firsts = |(path, log): (&Path, &PathLog<A>)| {
            log.firsts(bounds).map(|first| first.map(|first| (first, path.clone())))
        };
        self.oldest = self.paths.iter().flat_map(firsts).flatten().collect();
        let paths: Vec<_> = self.paths.keys().cloned().collect();
        paths.iter().for_each(|path| self.trim(path));
        self.expire(now);
    }

    /// Makes an empty log with the same bounds, to be filled with another one's
    /// messages.
    pub fn successor(&self, position: Position, earlier: Vec<(u64, u64)>) -> Log<A> {
        let Log { declared, bounds, .. } = *self;
        Log { declared, earlier, ..Log::new(position, bounds) }
    }

    /// Begins another epoch, as the numbers of this one may be given elsewhere, too.
    pub fn begin_epoch(&mut self, epoch: u64) {
        self.begin_epoch_after(epoch, self.position.number);
    }

    /// As [`begin_epoch`](Self::begin_epoch), where positions of the epoch before are good
    /// up to this number.
    pub fn begin_epoch_after(&mut self, epoch: u64, number: u64) {
        self.earlier.push((self.position.epoch, number));
        let most = self.earlier.len().saturating_sub(MAX_EPOCHS);
        self.earlier.drain(..most);
        self.position.epoch = epoch;
    }

    /// Says which epoch this one is, and which there were before, each with the number up
    /// to which its positions are good.
    pub fn set_epochs(&mut self, epoch: u64, earlier: Vec<(u64, u64)>) {
        (self.position.epoch, self.earlier) = (epoch, earlier);
    }

    /// Goes on at this number, if it is higher, and tells whoever comes from before that
    /// messages are missing: they are lost, though what is kept stays.
    pub fn lack_before(&mut self, number: u64) {
        self.skip_to(number);
        self.lacking_to = self.position.number;
    }

    /// Returns the epochs before, each with the number at which the next one began.
    pub fn earlier(&self) -> &[(u64, u64)] {
        &self.earlier
    }

    /// Sets from which number on the messages of a path are kept, of which nothing is
    /// known yet.
    pub fn set_gap(&mut self, path: Path, number: u64) {
        if path.is_some() {
            self.bytes += path_bytes(&path);
            self.emptied.insert((number, path.clone()));
        }
        self.paths.insert(path, PathLog::new(number));
    }

    /// Gives a message the next number, and drops old ones that exceed the bounds.
    /// Numbers only rise.
    pub fn push(&mut self, entry: LogEntry<'_, A>, now: u32) {
        let number = self.position.number;
        self.position.number += 1;
        if self.bounds.messages == 0 || u32::try_from(entry.frame.len()).is_err() {
            self.lose_to(number + 1);
            return;
        }
        let path = entry.path.cloned();
        let log = self.paths.entry(path.clone()).or_insert_with(|| {
            self.bytes += path_bytes(&path);
            PathLog::new(self.forgotten_to)
        });
        let (firsts, len, bytes) = (log.firsts(self.bounds), log.len(), log.bytes());
        if len == 0 {
            self.emptied.remove(&(log.dropped_to, path.clone()));
        }
        log.push(number, now, entry);
        self.len = self.len - len + log.len();
        self.bytes = self.bytes - bytes + log.bytes();
        self.rerank(firsts, &path);
        self.trim(&path);
        self.expire(now);
    }

    /// Gives a change of who is present the next number.
    pub fn change_presence(&mut self, change: &PresenceChange) {
        self.position.number += 1;
        self.presence.apply(change);
    }

    /// Returns who is present.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Takes over who is present, change by change, without numbers.
    pub fn load_presence(&mut self, change: &PresenceChange) {
        self.presence.apply(change);
    }

    /// Continues at a higher number: those between are no messages.
    pub fn skip_to(&mut self, number: u64) {
        self.position.number = self.position.number.max(number);
    }

    /// Forgets all messages, and continues at this number, if it is higher.
    pub fn lose_to(&mut self, number: u64) {
        self.skip_to(number);
        let Log { earlier, bounds, declared, presence, .. } = self;
        let (declared, bounds) = (*declared, *bounds);
        let (earlier, presence) = (std::mem::take(earlier), std::mem::take(presence));
        *self = Log { declared, earlier, presence, ..Log::new(self.position, bounds) };
    }

    /// As [`lose_to`](Self::lose_to), but for these messages, in the order of their
    /// numbers: each is the last one for whom it is, or of its key. What was sent between
    /// them isn't known, so they are read only from a
    /// [snapshot](Snapshot) on, and whoever comes from before this number is told that
    /// messages are missing.
    pub fn lose_all_but<'message>(
        &mut self,
        last: impl IntoIterator<Item = Kept<'message, A>>,
        number: u64,
    ) where
        A: 'message,
    {
        self.lose_to(number);
        let Position { epoch, number: end } = self.position;
        let Log { paths, position, .. } = Log::new(Position { epoch, number: 0 }, self.bounds);
        (self.paths, self.position, self.forgotten_to) = (paths, position, 0);
        for Kept { number, sent, entry } in last {
            if (self.position.number..end).contains(&number) {
                self.position.number = number;
                self.push(entry, sent);
            }
        }
        (self.position.number, self.last_alone_to) = (end, end);
    }

    /// Drops messages that are too old.
    pub fn expire(&mut self, now: u32) {
        let LogBounds { age, .. } = self.bounds;
        for (rank, age) in
            [(Rank::Spare, age), (Rank::Removal, age.or(Some(REMOVAL_AGE))), (Rank::Promised, age)]
        {
            while let Some(age) = age
                && let Some((_, path)) = self.first_of(rank)
                && let Some(sent) = self.paths.get(&path).and_then(|log| log.first_sent(rank))
                && now.saturating_sub(sent) > age
            {
                self.pop(&path, rank);
            }
        }
    }

    /// Returns all messages that are kept, in their order.
    pub fn kept(&self) -> impl Iterator<Item = Kept<'_, A>> {
        let of_each = self.paths.iter().map(|(path, log)| {
            log.since(0).map(move |Stored { number, sent, audience, key, frame }| Kept {
                number,
                sent,
                entry: LogEntry { path: path.as_ref(), audience: audience.cloned(), key, frame },
            })
        });
        let mut all: Vec<_> = of_each.flatten().collect();
        all.sort_unstable_by_key(|kept| kept.number);
        all.into_iter()
    }

    /// Returns from which number on each path that is known is kept, and at last,
    /// without a path, all others.
    pub fn gaps(&self) -> impl Iterator<Item = (Option<&Path>, u64)> {
        let of_each = self.paths.iter().map(|(path, log)| (Some(path), log.dropped_to));
        of_each.chain([(None, self.forgotten_to)])
    }

    /// Drops what exceeds the bounds, beginning with the messages of this path.
    fn trim(&mut self, path: &Path) {
        let LogBounds { messages, bytes, .. } = self.bounds;
        while let Some(rank) = self.paths.get(path).and_then(|log| log.excess(messages)) {
            self.pop(path, rank);
        }
        while self.bytes > bytes {
            // The newest message may be larger.
            if !self.forget_one() && (self.len <= 1 || !self.pop_one()) {
                return;
            }
        }
    }

    /// Forgets the path that has been without messages for the longest time.
    fn forget_one(&mut self) -> bool {
        let Some((dropped_to, path)) = self.emptied.pop_first() else { return false };
        self.paths.remove(&path);
        self.bytes -= path_bytes(&path);
        self.forgotten_to = self.forgotten_to.max(dropped_to);
        true
    }

    /// Drops the message that is least needed.
    fn pop_one(&mut self) -> bool {
        let first = self.first_of(Rank::Spare).map(|(_, path)| (Rank::Spare, path));
        let first = first.or_else(|| Some((Rank::Removal, self.first_of(Rank::Removal)?.1)));
        let first = first.or_else(|| {
            let ranks = [Rank::Promised, Rank::Value];
            let firsts = ranks.into_iter().filter_map(|rank| Some((rank, self.first_of(rank)?)));
            let (rank, (_, path)) = firsts.min_by_key(|(_, (number, _))| *number)?;
            Some((rank, path))
        });
        let Some((rank, path)) = first else { return false };
        self.pop(&path, rank);
        true
    }

    /// Drops the oldest message of a rank at a path.
    fn pop(&mut self, path: &Path, rank: Rank) {
        let Some(log) = self.paths.get_mut(path) else { return };
        let (firsts, len, bytes) = (log.firsts(self.bounds), log.len(), log.bytes());
        log.pop(rank);
        self.len = self.len - len + log.len();
        self.bytes = self.bytes - bytes + log.bytes();
        let (is_empty, dropped_to) = (log.len() == 0, log.dropped_to);
        self.rerank(firsts, path);
        if is_empty && path.is_some() {
            self.emptied.insert((dropped_to, path.clone()));
            if self.emptied.len() > MAX_EMPTIED {
                self.forget_one();
            }
        }
    }

    /// Returns the oldest message of a rank, and its path.
    fn first_of(&self, rank: Rank) -> Option<(u64, Path)> {
        let ((_, number), path) = self.oldest.range((rank, 0)..=(rank, u64::MAX)).next()?;
        Some((*number, path.clone()))
    }

    fn rerank(&mut self, before: [Option<(Rank, u64)>; 3], path: &Path) {
        let after = self.paths.get(path).map_or([None; 3], |log| log.firsts(self.bounds));
        for (before, after) in before.into_iter().zip(after) {
            if before == after {
                continue;
            }
            if let Some(before) = before {
                self.oldest.remove(&before);
            }
            if let Some(after) = after {
                self.oldest.insert(after, path.clone());
            }
        }
    }
}

/// Returns what a path counts, whatever its messages; nothing if it is the only one.
fn path_bytes(path: &Path) -> usize {
    path.as_ref().map_or(0, |path| path.len() + PATH_BYTES)
}
