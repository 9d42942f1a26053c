//! The log of a channel: its messages by number, kept for a while, so that a
//! client that was away or is slow gets what it missed.
//!
//! A client that isn't live is a number into the log. What is kept is kept once,
//! in a [`ring`] for each path, whoever may need it.

mod ring;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::ring::Ring;
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

/// How much a log keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogBounds {
    /// How many messages of each path are promised; more are kept while there is
    /// room. At 0, nothing is kept, but messages have numbers.
    pub messages: usize,
    /// For how many seconds a message is kept at most.
    pub age: Option<u32>,
    /// What all messages of the channel may take: their frames and
    /// [`ENTRY_BYTES`] each. The newest one may be larger.
    pub bytes: usize,
}

/// What a kept message takes besides its frame.
pub const ENTRY_BYTES: usize = ring::ENTRY_BYTES;

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
    /// The paths that have messages.
    rings: BTreeMap<Path, Ring<A>>,
    /// Whose message is dropped next: by whether that one is promised, and by
    /// number.
    oldest: BTreeMap<(bool, u64), Path>,
    len: usize,
    bytes: usize,
    /// Below this number, messages of paths that have none may be missing.
    forgotten_to: u64,
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

impl<A> Log<A> {
    /// Begins a log at a position.
    pub fn new(position: Position, bounds: LogBounds) -> Log<A> {
        Log {
            position,
            earlier: Vec::new(),
            declared: bounds,
            bounds,
            rings: BTreeMap::new(),
            oldest: BTreeMap::new(),
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

    /// Sets from which number on the messages of a path are kept.
    pub fn set_gap(&mut self, path: Path, number: u64) {
        self.rings.entry(path).or_insert_with(|| Ring::new(number));
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
        let ring = self.rings.entry(path.clone()).or_insert_with(|| Ring::new(self.forgotten_to));
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
        self.rings.clear();
        self.oldest.clear();
        (self.len, self.bytes) = (0, 0);
        self.forgotten_to = self.position.number;
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
        let Position { epoch, number } = position;
        let until = self.dropped_to(path);
        let is_known = |(before, end): &(u64, u64)| *before == epoch && number <= *end;
        let is_good = epoch == self.position.epoch || self.earlier.iter().any(is_known);
        if !is_good || number > self.position.number || number < until {
            return Err(LogGap { until });
        }
        Ok(number)
    }

    /// Returns the number from which on all messages of a path are kept.
    pub fn dropped_to(&self, path: &Path) -> u64 {
        self.rings.get(path).map_or(self.forgotten_to, |ring| ring.dropped_to)
    }

    /// Returns the number of the last message of a path; `None` if none is kept.
    pub fn last(&self, path: &Path) -> Option<u64> {
        self.rings.get(path)?.newest_first().next().map(|entry| entry.number)
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
        let Some(ring) = self.rings.get(path) else { return until };
        let newest = ring.newest_first().skip_while(|entry| entry.number >= until);
        let meant = newest.take(self.bounds.messages).filter(|entry| {
            entry.audience.as_ref().is_none_or(|audience| is_meant(entry.number, audience))
        });
        meant.take(messages).last().map_or(until, |entry| entry.number)
    }

    /// Reads messages of a path from `from` on that are meant and come before
    /// `until`: some 64 KiB at most. Returns the number from which to read next,
    /// `until` if nothing is left.
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
        frames: &mut Frames,
    ) -> Result<u64, LogGap> {
        frames.clear();
        let dropped_to = self.dropped_to(path);
        if from < dropped_to {
            return Err(LogGap { until: dropped_to });
        }
        let Some(ring) = self.rings.get(path) else { return Ok(until) };
        for (looked_at, (entry, frame)) in ring.since(from).enumerate() {
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
            frames.bytes.extend_from_slice(frame);
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

    /// Returns from which number on each path with messages is kept, and at last,
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
        // The newest message may be larger.
        while self.bytes > bytes
            && self.len > 1
            && let Some(path) = self.first_of(false).or_else(|| self.first_of(true))
        {
            self.pop(&path);
        }
    }

    /// Drops the oldest message of a path, and the path with its last one.
    fn pop(&mut self, path: &Path) {
        let Some(ring) = self.rings.get_mut(path) else { return };
        let rank = rank(ring, self.bounds);
        self.bytes -= ring.pop();
        self.len -= 1;
        let (is_empty, dropped_to) = (ring.len() == 0, ring.dropped_to);
        self.rerank(rank, path);
        if is_empty {
            self.rings.remove(path);
            self.forgotten_to = self.forgotten_to.max(dropped_to);
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
fn rank<A>(ring: &Ring<A>, bounds: LogBounds) -> Option<(bool, u64)> {
    let first = ring.first()?;
    Some((ring.len() <= bounds.messages, first.number))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(bounds: LogBounds) -> Log<u8> {
        Log::new(Position { epoch: 7, number: 10 }, bounds)
    }

    fn room(number: u8) -> Path {
        Some(number.to_string().into())
    }

    fn push(log: &mut Log<u8>, path: &Path, frame: &[u8], now: u32) {
        log.push(LogEntry { path: path.as_ref(), audience: None, frame }, now);
    }

    /// Reads everything from a number on, for a member of group 1.
    fn read(log: &Log<u8>, path: &Path, mut from: u64) -> Result<Vec<u64>, LogGap> {
        let (mut all, mut frames) = (Vec::new(), Frames::default());
        let until = log.position().number;
        loop {
            let next = log.read(path, from, until, |_, group| *group == 1, &mut frames)?;
            all.extend(frames.ends.iter().map(|(_, behind)| behind - 1));
            assert_eq!(frames.ends.last().map_or(0, |(end, _)| *end), frames.bytes.len());
            if next == until {
                return Ok(all);
            }
            assert!(next > from);
            from = next;
        }
    }

    #[test]
    fn a_message_takes_little_besides_its_frame() {
        assert_eq!(ENTRY_BYTES, 24);
    }

    #[test]
    fn where_a_write_was_cut_is_found() {
        let mut log = log(LogBounds { messages: 9, age: None, bytes: 1000 });
        for frame in [&b"one "[..], b"two ", b"three"] {
            push(&mut log, &None, frame, 0);
        }
        let mut frames = Frames::default();
        assert_eq!(log.read(&None, 10, 13, |_, _| true, &mut frames), Ok(13));
        assert_eq!(frames.bytes, b"one two three");
        let cuts = [1, 3, 4, 5, 8, 12, 13].map(|written| frames.cut(written));
        let (one, two, three) = ((4, 11), (8, 12), (13, 13));
        assert_eq!(cuts, [one, one, one, two, two, three, three]);
    }

    #[test]
    fn a_made_up_position_is_a_gap() {
        let mut log = log(LogBounds { messages: 9, age: None, bytes: 1000 });
        push(&mut log, &None, b"one", 0);
        let resume = |epoch, number| log.resume(&None, Position { epoch, number });
        assert_eq!((resume(7, 10), resume(7, 11)), (Ok(10), Ok(11)));
        for (epoch, number) in [(7, 9), (7, 12), (7, u64::MAX), (8, 10), (0, 0)] {
            assert_eq!(resume(epoch, number), Err(LogGap { until: 10 }), "{epoch} {number}");
        }
    }

    /// What is kept beyond the promise goes first, whoever's it is.
    #[test]
    fn a_busy_path_takes_nothing_that_was_promised_to_another() {
        let mut log = log(LogBounds { messages: 2, age: None, bytes: 40 * (8 + ENTRY_BYTES) });
        for _ in 0..2 {
            push(&mut log, &room(0), b"12345678", 0);
        }
        for _ in 0..1_000 {
            push(&mut log, &room(1), b"12345678", 0);
        }
        assert_eq!(read(&log, &room(0), 10), Ok(vec![10, 11]));
        assert_eq!(read(&log, &room(1), 1_012 - 38).unwrap().len(), 38);
        let before = |until| log.before(&room(1), until, usize::MAX, |_, _| true);
        assert_eq!((before(1_012), before(1_005)), (1_010, 1_003), "two are promised");
    }

    #[test]
    fn a_log_that_keeps_nothing_has_numbers() {
        let mut log = log(LogBounds::default());
        push(&mut log, &None, b"one", 0);
        assert_eq!(log.position().number, 11);
        assert_eq!(read(&log, &None, 10), Err(LogGap { until: 11 }));
        assert_eq!(read(&log, &None, 11), Ok(vec![]));
        let keeping = LogBounds { messages: 4, age: None, bytes: 1000 };
        log.set_bounds(keeping, 0);
        push(&mut log, &None, b"two", 0);
        assert_eq!(read(&log, &None, 11), Ok(vec![11]));
        log.set_bounds(LogBounds::default(), 0);
        assert_eq!(read(&log, &None, 11), Err(LogGap { until: 12 }));
        assert_eq!((log.len, log.bytes, log.oldest.len()), (0, 0, 0));
    }

    #[test]
    fn what_is_kept_for_a_while_is_kept_no_longer_than_was_declared() {
        let least = LogBounds { messages: 4, age: None, bytes: 1000 };
        let short = LogBounds { messages: 1, age: Some(2), bytes: 100 };
        for (declared, is_aged) in [(LogBounds::default(), false), (short, true)] {
            let mut log = log(declared);
            log.keep_at_least(least, 0);
            push(&mut log, &None, b"one", 0);
            log.expire(1_000);
            assert_eq!(read(&log, &None, 10).is_err(), is_aged);
            push(&mut log, &None, b"two", 1_000);
            log.keep_as_declared(1_000);
            assert_eq!(read(&log, &None, 11).is_ok(), is_aged, "as was declared");
        }
    }

    #[test]
    fn a_position_of_an_earlier_epoch_is_good_up_to_its_end() {
        let mut log = log(LogBounds { messages: 9, age: None, bytes: 1000 });
        push(&mut log, &None, b"one", 0);
        log.begin_epoch(8);
        push(&mut log, &None, b"two", 0);
        let mut log = {
            let mut other = log.successor(log.position(), log.earlier().to_vec());
            other.set_gap(None, 10);
            other
        };
        let resume =
            |log: &Log<u8>, epoch, number| log.resume(&None, Position { epoch, number }).ok();
        assert_eq!((resume(&log, 7, 10), resume(&log, 7, 11)), (Some(10), Some(11)));
        assert_eq!((resume(&log, 7, 12), resume(&log, 8, 12)), (None, Some(12)));
        for epoch in 9..30 {
            log.begin_epoch(epoch);
        }
        assert_eq!((resume(&log, 8, 12), log.earlier().len()), (None, MAX_EPOCHS));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push { path: u8, group: Option<u8>, bytes: usize },
        Wait(u32),
        Bounds(LogBounds),
        Skip(u64),
        Lose(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = prop_oneof![30 => 0..40_usize, 1 => 200..70_000_usize];
        let group = prop::option::weighted(0.3, 0..2_u8);
        prop_oneof![
            20 => (0..4_u8, group, bytes).prop_map(|(path, group, bytes)| Step::Push { path, group, bytes }),
            2 => (1..5_u32).prop_map(Step::Wait),
            1 => bounds().prop_map(Step::Bounds),
            1 => (0..9_u64).prop_map(Step::Skip),
            1 => (0..3_u64).prop_map(Step::Lose),
        ]
    }

    fn bounds() -> impl Strategy<Value = LogBounds> {
        let age = prop::option::of(0..6_u32);
        let bytes = prop_oneof![Just(500_usize), Just(3_000), Just(1 << 20)];
        (0..6_usize, age, bytes).prop_map(|(messages, age, bytes)| LogBounds {
            messages,
            age,
            bytes,
        })
    }

    proptest! {
        /// Compares the log with a list of all messages that there ever were.
        #[test]
        fn nothing_is_missing_without_a_gap(
            bounds in bounds(),
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut log = log(bounds);
            let mut now = 0;
            // Number, path, group, time, bytes.
            let mut all: Vec<(u64, u8, Option<u8>, u32, usize)> = Vec::new();
            let mut lost_to = 10;
            for step in steps {
                match step {
                    Step::Push { path, group, bytes } => {
                        let number = log.position().number;
                        let path_text = room(path);
                        let entry = LogEntry {
                            path: path_text.as_ref(),
                            audience: group.map(Arc::new),
                            frame: &vec![path; bytes],
                        };
                        log.push(entry, now);
                        prop_assert_eq!(log.position().number, number + 1);
                        all.push((number, path, group, now, bytes));
                    }
                    Step::Wait(seconds) => {
                        now += seconds;
                        log.expire(now);
                    }
                    Step::Bounds(bounds) => log.set_bounds(bounds, now),
                    Step::Skip(by) => log.skip_to(log.position().number + by),
                    Step::Lose(by) => {
                        log.lose_to(log.position().number + by);
                        lost_to = log.position().number;
                    }
                }
                let LogBounds { messages, age, bytes } = log.bounds;
                let counted: usize = log.kept().map(|kept| kept.entry.frame.len() + ENTRY_BYTES).sum();
                prop_assert_eq!((log.len, log.bytes), (log.kept().count(), counted));
                prop_assert!(counted <= bytes || log.len <= 1);
                prop_assert_eq!(log.oldest.len(), log.rings.len());
                let oldest = log.kept().map(|kept| kept.sent).min().unwrap_or(now);
                prop_assert!(age.is_none_or(|age| now - oldest <= age));
                for path in 0..4 {
                    let name = room(path);
                    let of_path = all.iter().filter(|it| it.1 == path);
                    let kept: Vec<_> = log.kept().filter(|it| it.entry.path == name.as_ref()).collect();
                    let newest = of_path.clone().count().saturating_sub(kept.len());
                    let newest: Vec<_> = of_path.clone().skip(newest).collect();
                    for (kept, it) in kept.iter().zip(&newest) {
                        prop_assert_eq!((kept.number, kept.sent, kept.entry.frame.len()), (it.0, it.3, it.4));
                    }
                    prop_assert_eq!(kept.len(), newest.len());
                    let (edge, next) = (log.dropped_to(&name), log.position().number);
                    let froms = [0, edge.saturating_sub(1), edge, edge + 1, edge.midpoint(next), next];
                    for from in froms.into_iter().filter(|from| *from <= next) {
                        let expected: Vec<_> = of_path.clone().filter(|it| it.0 >= from).collect();
                        match read(&log, &name, from) {
                            Ok(read) => {
                                let meant = expected.iter().filter(|it| it.2.is_none_or(|group| group == 1));
                                prop_assert_eq!(read, meant.map(|it| it.0).collect::<Vec<_>>());
                            }
                            Err(LogGap { until }) => {
                                prop_assert!(from < until && until <= log.position().number);
                                // Something was there once: of this path, or of one
                                // that was dropped whole.
                                let was_there = |it: &&(u64, u8, _, _, _)| (from..until).contains(&it.0);
                                prop_assert!(all.iter().any(|it| was_there(&it)) || from < lost_to);
                            }
                        }
                    }
                    let promised = log.before(&name, u64::MAX, usize::MAX, |_, _| true);
                    let count = kept.iter().filter(|kept| kept.number >= promised).count();
                    prop_assert_eq!(count, if promised == u64::MAX { 0 } else { kept.len().min(messages) });
                }
            }
        }

        /// With one path, there is no false gap at all.
        #[test]
        fn a_gap_of_a_single_path_is_a_real_one(
            bounds in bounds(),
            sizes in prop::collection::vec((0..50_usize, 0..2_u32), 0..60),
        ) {
            let mut log = log(bounds);
            let mut now = 0;
            for (bytes, seconds) in sizes {
                now += seconds;
                push(&mut log, &None, &vec![0; bytes], now);
                let position = log.position();
                let first = log.kept().map(|kept| kept.number).next().unwrap_or(position.number);
                for number in 10..=position.number {
                    let resumed = log.resume(&None, Position { number, ..position });
                    prop_assert_eq!(resumed.is_ok(), number >= first);
                }
            }
        }
    }
}
