//! Reading a log: what is kept of a path, from where, and what is missing.

use super::path::PathLog;
use super::ring::Entry;
use super::stored::{Stored, merged};
use super::{Log, LogGap, Path, Weigh};
use crate::hub::Position;

/// How much is read at a time, unless a single message is larger.
const MAX_READ_BYTES: usize = 64 << 10;

/// How many messages are looked at for one read.
const MAX_READ_MESSAGES: usize = 4096;

/// What is read of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The first number.
    pub from: u64,
    /// The number behind the last.
    pub until: u64,
    /// For who knows nothing of the keys.
    pub snapshot: Option<Snapshot>,
}

/// How the messages that are kept of each key are read as they are at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The position at that moment. Removals before it aren't read; whatever was
    /// dropped by then isn't missing.
    pub until: u64,
    /// From which number on messages without a key are read.
    pub others_from: u64,
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
    /// Finds out whether everything after a position is kept; returns its number.
    ///
    /// # Errors
    ///
    /// Not all of it is, or the position was never in this log.
    pub fn resume(&self, path: &Path, position: Position) -> Result<u64, LogGap> {
        let until = self.dropped_to(path).max(self.lacking_to);
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
            && (self.lacking_to..=self.position.number).contains(&number)
    }

    /// Returns the number from which on all messages of a path are kept. What is kept of
    /// those before may be read as a [`Snapshot`] until there.
    pub fn dropped_to(&self, path: &Path) -> u64 {
        let own = self.paths.get(path).map_or(self.forgotten_to, |log| log.dropped_to);
        let own = own.max(self.last_alone_to);
        self.paths.get(&None).map_or(own, |all| own.max(all.dropped_to))
    }

    /// Returns the number of the last message of a path without a key; `None` if none
    /// is kept.
    pub fn last(&self, path: &Path) -> Option<u64> {
        self.newest_first(path).next().map(|entry| entry.number)
    }

    /// Returns the number from which on there are as many messages of a path before
    /// `until` that are meant and have no key; fewer, if no more are promised.
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

    /// Returns the number from which on there are the newest messages of as many keys
    /// of a path, or of all, that come before `until`.
    pub fn newest_values(&self, path: &Path, until: u64, most: usize) -> u64 {
        let newest = self.paths.get(path).and_then(|log| log.newest_values(until, most));
        newest.unwrap_or(until)
    }

    /// Returns the entries of a path and of all that have no key, newest first.
    fn newest_first(&self, path: &Path) -> impl Iterator<Item = &Entry<A>> {
        let [own, all] =
            self.logs_of(path).map(|log| log.into_iter().flat_map(PathLog::newest_first));
        merged(own, all, |one, other| one.number > other.number)
    }

    /// Returns the messages of a path and of all from a number on.
    fn since(&self, path: &Path, number: u64) -> impl Iterator<Item = Stored<'_, A>> {
        let [own, all] =
            self.logs_of(path).map(|log| log.into_iter().flat_map(move |log| log.since(number)));
        merged(own, all, Stored::is_before)
    }

    /// Returns where the messages of a path are, and those of all.
    fn logs_of(&self, path: &Path) -> [Option<&PathLog<A>>; 2] {
        [self.paths.get(path), path.as_ref().and_then(|_| self.paths.get(&None))]
    }

    /// Reads messages of a path that are meant, each as `write` appends it: some
    /// 64 KiB at most. Returns the number from which to read next, that behind the
    /// last if nothing is left.
    ///
    /// # Errors
    ///
    /// The first of them are no longer kept.
    pub fn read(
        &self,
        path: &Path,
        wanted: Wanted,
        is_meant: impl Fn(u64, &A) -> bool,
        write: impl Fn(&Stored<'_, A>, &mut Vec<u8>),
        frames: &mut Frames,
    ) -> Result<u64, LogGap> {
        frames.clear();
        let Wanted { from, until, snapshot } = wanted;
        let Snapshot { until: known_to, others_from } =
            snapshot.unwrap_or(Snapshot { until: 0, others_from: 0 });
        let dropped_to = self.dropped_to(path);
        if from.max(known_to) < dropped_to {
            return Err(LogGap { until: dropped_to });
        }
        for (looked_at, stored) in self.since(path, from).enumerate() {
            let Stored { number, audience, key, frame, .. } = stored;
            let is_full =
                !frames.bytes.is_empty() && frames.bytes.len() + frame.len() > MAX_READ_BYTES;
            if number >= until {
                break;
            } else if is_full || looked_at == MAX_READ_MESSAGES {
                return Ok(number);
            }
            let is_known = match key {
                Some(_) => frame.is_empty() && number < known_to,
                None => number < others_from,
            };
            if is_known {
                continue;
            }
            if let Some(audience) = audience {
                frames.is_common = false;
                if !is_meant(number, audience) {
                    continue;
                }
            }
            write(&stored, &mut frames.bytes);
            frames.ends.push((frames.bytes.len(), number + 1));
        }
        Ok(until)
    }
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
