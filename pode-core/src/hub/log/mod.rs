//! The log of a channel: its messages by number, kept for a while, so that a
//! client that was away or is slow gets what it missed.
//!
//! A client that isn't live is a number into the log. What is kept is kept once,
//! in a [`ring`] for each path, whoever may need it.

mod ring;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use self::ring::{Entry, Ring};
use super::Position;

/// How many messages of a path are kept while there is room, even if fewer are
/// promised: as many as would wait for a slow client without a log.
const SLACK_MESSAGES: usize = 1024;
const SLACK_BYTES: usize = 1 << 20;

/// How much is read at a time, unless a single message is larger.
const MAX_READ_BYTES: usize = 64 << 10;

/// How many epochs before the last are known.
const MAX_EPOCHS: usize = 16;

/// How many messages are looked at for one read.
const MAX_READ_MESSAGES: usize = 4096;

/// How many paths without messages are known exactly.
const MAX_EMPTIED: usize = 1024;

/// How much a log keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogBounds {
    /// How many messages of each path are promised; more are kept while there is
    /// room. At 0, nothing is kept, but messages have numbers.
    pub messages: usize,
    /// For how many seconds a message is kept at most.
    pub age: Option<u32>,
    /// What all messages of the channel may take: their frames, [`ENTRY_BYTES`]
    /// each, what their audiences [weigh](Weigh::bytes), and for each path of a
    /// family its name and [`PATH_BYTES`]. The newest one may be larger.
    pub bytes: usize,
}

/// What a kept message takes besides its frame.
pub const ENTRY_BYTES: usize = ring::ENTRY_BYTES;

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
    rings: BTreeMap<Path, Ring<A>>,
    /// Whose message is dropped next: by whether that one is promised, and by
    /// number.
    oldest: BTreeMap<(bool, u64), Path>,
    /// Paths without messages, by the number up to which they are dropped.
    emptied: BTreeSet<(u64, Path)>,
    len: usize,
    bytes: usize,
    /// Below this number, messages of other paths may be missing.
    forgotten_to: u64,
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
    /// Absent if it is for everyone there.
    pub audience: Option<Arc<A>>,
    /// The message as it is sent.
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

/// Frames that were read, one behind the other.
#[derive(Debug, Default)]
pub struct Frames {
    /// The bytes of all.
    pub bytes: Vec<u8>,
    /// Where each frame ends, and the number behind it.
    pub ends: Vec<(usize, u64)>,
    /// Whether anybody at this path would have got the same.
    pub is_common: bool,
}

impl<A: Weigh> Log<A> {
    /// Begins a log at a position.
    pub fn new(position: Position, bounds: LogBounds) -> Log<A> {
        Log {
            position,
            earlier: Vec::new(),
            declared: bounds,
            bounds,
            rings: BTreeMap::from([(None, Ring::new(position.number))]),
            oldest: BTreeMap::new(),
            emptied: BTreeSet::new(),
            len: 0,
            bytes: 0,
            forgotten_to: position.number,
        }
    }

    /// Returns the position of the next message.
    pub fn position(&self) -> Position {
        self.position
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
        let ranks = |(path, ring): (&Path, &Ring<A>)| Some((rank(ring, bounds)?, path.clone()));
        self.oldest = self.rings.iter().filter_map(ranks).collect();
        let paths: Vec<_> = self.rings.keys().cloned().collect();
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
        let Position { epoch: before, number } = self.position;
        self.earlier.push((before, number));
        let most = self.earlier.len().saturating_sub(MAX_EPOCHS);
        self.earlier.drain(..most);
        self.position.epoch = epoch;
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
        self.rings.insert(path, Ring::new(number));
    }

    /// Gives a message the next number, and drops old ones that exceed the bounds.
    /// Numbers only rise.
    pub fn push(&mut self, entry: LogEntry<'_, A>, now: u32) {
        let number = self.position.number;
        self.position.number += 1;
        let LogEntry { path, audience, frame } = entry;
        if self.bounds.messages == 0 || u32::try_from(frame.len()).is_err() {
            self.lose_to(number + 1);
            return;
        }
        let path = path.cloned();
        let ring = self.rings.entry(path.clone()).or_insert_with(|| {
            self.bytes += path_bytes(&path);
            Ring::new(self.forgotten_to)
        });
        if ring.len() == 0 {
            self.emptied.remove(&(ring.dropped_to, path.clone()));
        }
        let rank = rank(ring, self.bounds);
        let before = ring.bytes();
        ring.push(number, now, audience, frame);
        self.bytes += ring.bytes() - before;
        self.len += 1;
        self.rerank(rank, &path);
        self.trim(&path);
        self.expire(now);
    }

    /// Continues at a higher number: those between are no messages.
    pub fn skip_to(&mut self, number: u64) {
        self.position.number = self.position.number.max(number);
    }

    /// Forgets everything, and continues at this number, if it is higher.
    pub fn lose_to(&mut self, number: u64) {
        self.skip_to(number);
        let Log { earlier, bounds, declared, .. } = self;
        let (declared, bounds, earlier) = (*declared, *bounds, std::mem::take(earlier));
        *self = Log { declared, earlier, ..Log::new(self.position, bounds) };
    }

    /// Drops messages that are too old.
    pub fn expire(&mut self, now: u32) {
        let Some(age) = self.bounds.age else { return };
        for is_promised in [false, true] {
            while let Some(path) = self.first_of(is_promised)
                && let Some(first) = self.rings.get(&path).and_then(Ring::first)
                && now.saturating_sub(first.sent) > age
            {
                self.pop(&path);
            }
        }
    }

    /// Finds out whether everything after a position is kept; returns its number.
    ///
    /// # Errors
    ///
    /// Not all of it is, or the position was never in this log.
    pub fn resume(&self, path: &Path, position: Position) -> Result<u64, LogGap> {
        let until = self.dropped_to(path);
        if !self.knows(position) || position.number < until {
            return Err(LogGap { until });
        }
        Ok(position.number)
    }

    /// Returns whether a position is one of this log, of which all or nothing may be
    /// kept.
    pub fn knows(&self, position: Position) -> bool {
        let Position { epoch, number } = position;
        let is_earlier = |(before, end): &(u64, u64)| *before == epoch && number <= *end;
        (epoch == self.position.epoch || self.earlier.iter().any(is_earlier))
            && number <= self.position.number
    }

    /// Returns the number from which on all messages of a path are kept.
    pub fn dropped_to(&self, path: &Path) -> u64 {
        let own = self.rings.get(path).map_or(self.forgotten_to, |ring| ring.dropped_to);
        self.rings.get(&None).map_or(own, |all| own.max(all.dropped_to))
    }

    /// Returns the number of the last message of a path; `None` if none is kept.
    pub fn last(&self, path: &Path) -> Option<u64> {
        self.newest_first(path).next().map(|entry| entry.number)
    }

    /// Returns the number from which on there are as many messages of a path before
    /// `until` that are meant; fewer, if no more are promised.
    pub fn before(
        &self,
        path: &Path,
        until: u64,
        messages: usize,
        is_meant: impl Fn(u64, &A) -> bool,
    ) -> u64 {
        let newest = self.newest_first(path).skip_while(|entry| entry.number >= until);
        let meant = newest.take(self.bounds.messages).filter(|entry| {
            entry.audience.as_ref().is_none_or(|audience| is_meant(entry.number, audience))
        });
        meant.take(messages).last().map_or(until, |entry| entry.number)
    }

    /// Returns the entries of a path and of all, newest first.
    fn newest_first(&self, path: &Path) -> impl Iterator<Item = &Entry<A>> {
        merged(self.rings_of(path).map(Ring::newest_first), |one, other| one.number > other.number)
    }

    /// Returns the messages of a path and of all from a number on, with their frames.
    fn since(&self, path: &Path, number: u64) -> impl Iterator<Item = (&Entry<A>, &[u8])> {
        let is_first = |one: &(&Entry<A>, _), other: &(&Entry<A>, _)| one.0.number < other.0.number;
        merged(self.rings_of(path).map(move |ring| ring.since(number)), is_first)
    }

    /// Returns where the messages of a path are.
    fn rings_of(&self, path: &Path) -> impl Iterator<Item = &Ring<A>> {
        let all = path.as_ref().and_then(|_| self.rings.get(&None));
        self.rings.get(path).into_iter().chain(all)
    }

    /// Reads messages of a path from `from` on that are meant and come before
    /// `until`, each as `write` appends it: some 64 KiB at most. Returns the number
    /// from which to read next, `until` if nothing is left.
    ///
    /// # Errors
    ///
    /// The first of them are no longer kept.
    pub fn read(
        &self,
        path: &Path,
        from: u64,
        until: u64,
        is_meant: impl Fn(u64, &A) -> bool,
        write: impl Fn(u64, Option<&A>, &[u8], &mut Vec<u8>),
        frames: &mut Frames,
    ) -> Result<u64, LogGap> {
        frames.clear();
        let dropped_to = self.dropped_to(path);
        if from < dropped_to {
            return Err(LogGap { until: dropped_to });
        }
        for (looked_at, (entry, frame)) in self.since(path, from).enumerate() {
            let is_full =
                !frames.bytes.is_empty() && frames.bytes.len() + frame.len() > MAX_READ_BYTES;
            if entry.number >= until {
                break;
            } else if is_full || looked_at == MAX_READ_MESSAGES {
                return Ok(entry.number);
            }
            if let Some(audience) = &entry.audience {
                frames.is_common = false;
                if !is_meant(entry.number, audience) {
                    continue;
                }
            }
            write(entry.number, entry.audience.as_deref(), frame, &mut frames.bytes);
            frames.ends.push((frames.bytes.len(), entry.number + 1));
        }
        Ok(until)
    }

    /// Returns all messages that are kept, in their order.
    pub fn kept(&self) -> impl Iterator<Item = Kept<'_, A>> {
        let of_each = self.rings.iter().map(|(path, ring)| {
            ring.since(0).map(move |(entry, frame)| Kept {
                number: entry.number,
                sent: entry.sent,
                entry: LogEntry { path: path.as_ref(), audience: entry.audience.clone(), frame },
            })
        });
        let mut all: Vec<_> = of_each.flatten().collect();
        all.sort_unstable_by_key(|kept| kept.number);
        all.into_iter()
    }

    /// Returns from which number on each path that is known is kept, and at last,
    /// without a path, all others.
    pub fn gaps(&self) -> impl Iterator<Item = (Option<&Path>, u64)> {
        let of_each = self.rings.iter().map(|(path, ring)| (Some(path), ring.dropped_to));
        of_each.chain([(None, self.forgotten_to)])
    }

    /// Drops what exceeds the bounds, beginning with the messages of this path.
    fn trim(&mut self, path: &Path) {
        let LogBounds { messages, bytes, .. } = self.bounds;
        while let Some(ring) = self.rings.get(path)
            && ring.len() > messages
            && (messages == 0 || ring.len() > SLACK_MESSAGES || ring.bytes() > SLACK_BYTES)
        {
            self.pop(path);
        }
        while self.bytes > bytes {
            if self.forget_one() {
                continue;
            }
            // The newest message may be larger.
            let first = if self.len > 1 { self.first_of(false) } else { return };
            let Some(path) = first.or_else(|| self.first_of(true)) else { return };
            self.pop(&path);
        }
    }

    /// Forgets the path that has been without messages for the longest time.
    fn forget_one(&mut self) -> bool {
        let Some((dropped_to, path)) = self.emptied.pop_first() else { return false };
        self.rings.remove(&path);
        self.bytes -= path_bytes(&path);
        self.forgotten_to = self.forgotten_to.max(dropped_to);
        true
    }

    /// Drops the oldest message of a path.
    fn pop(&mut self, path: &Path) {
        let Some(ring) = self.rings.get_mut(path) else { return };
        let rank = rank(ring, self.bounds);
        self.bytes -= ring.pop();
        self.len -= 1;
        let (is_empty, dropped_to) = (ring.len() == 0, ring.dropped_to);
        self.rerank(rank, path);
        if is_empty && path.is_some() {
            self.emptied.insert((dropped_to, path.clone()));
            if self.emptied.len() > MAX_EMPTIED {
                self.forget_one();
            }
        }
    }

    /// Returns the path whose message is dropped first.
    fn first_of(&self, is_promised: bool) -> Option<Path> {
        let (_, path) = self.oldest.range((is_promised, 0)..=(is_promised, u64::MAX)).next()?;
        Some(path.clone())
    }

    fn rerank(&mut self, before: Option<(bool, u64)>, path: &Path) {
        let after = self.rings.get(path).and_then(|ring| rank(ring, self.bounds));
        if before != after {
            if let Some(before) = before {
                self.oldest.remove(&before);
            }
            if let Some(after) = after {
                self.oldest.insert(after, path.clone());
            }
        }
    }
}

/// Returns the rank of a ring's oldest message among those that may be dropped.
fn rank<A: Weigh>(ring: &Ring<A>, bounds: LogBounds) -> Option<(bool, u64)> {
    let first = ring.first()?;
    Some((ring.len() <= bounds.messages, first.number))
}

/// Joins at most two sequences that are sorted.
fn merged<T>(
    mut sorted: impl Iterator<Item: Iterator<Item = T>>,
    is_first: impl Fn(&T, &T) -> bool,
) -> impl Iterator<Item = T> {
    let mut next = || sorted.next().into_iter().flatten().peekable();
    let (mut one, mut other) = (next(), next());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if is_first(second, first) => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

/// Returns what a path counts, whatever its messages; nothing if it is the only one.
fn path_bytes(path: &Path) -> usize {
    path.as_ref().map_or(0, |path| path.len() + PATH_BYTES)
}

impl Frames {
    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(MAX_READ_BYTES);
        self.ends.clear();
        self.ends.shrink_to(MAX_READ_MESSAGES);
        self.is_common = true;
    }

    /// Returns where the frame ends that is cut if only so many bytes are written,
    /// and the number behind it; between two frames, that is the one before.
    pub fn cut(&self, written: usize) -> (usize, u64) {
        let index = self.ends.partition_point(|(end, _)| *end < written);
        self.ends.get(index).copied().unwrap_or((written, 0))
    }
}
