//! A carrier in memory, whose faults are those of a real one: connections that are cut
//! before an append, behind it, or while it is still on its way; servers that are away,
//! start anew, with all, a part or nothing of what they had, and drop what is old.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::carrier::{
    Appended, Appender, Carrier, CarrierError, EntryId, FIRST_TERM, Known, LastEntries, Opened,
    READ_TIMEOUT, Read, ReadEntries, Reader, Term, ToAppend, Top,
};
use super::entry::first_of_term;
use crate::app::tickets::TicketKey;
use crate::push::engine::LastOf;

/// Numbers in an order that a seed decides.
#[derive(Clone)]
pub(super) struct Dice(Arc<Mutex<u64>>);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(Arc::new(Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)))
    }

    pub(super) fn below(&self, most: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        for shift in [-13_i32, 7, -17] {
            *state ^= if shift < 0 { *state << -shift } else { *state >> shift };
        }
        (*state >> 11) % most
    }

    pub(super) fn is(&self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

struct Entry {
    id: EntryId,
    /// How much had been written to the server before.
    written: u64,
    body: Vec<u8>,
}

#[derive(Default)]
struct Stream {
    exists: bool,
    last: EntryId,
    /// In the order of their ids.
    entries: VecDeque<Entry>,
    /// All that there have been, each with how much had been written before.
    ids: Vec<(u64, EntryId)>,
    /// All that were the last one of something, in the same way.
    were_last: Vec<(u64, LastOf, EntryId, Vec<u8>)>,
}

impl Stream {
    /// Returns the entries that are the last one of something now.
    fn last_entries(&self) -> BTreeMap<EntryId, Vec<u8>> {
        let mut ids = BTreeMap::new();
        let mut entries = BTreeMap::new();
        for (_, LastOf { name, is_removed }, id, body) in &self.were_last {
            if let Some(before) = ids.remove(name) {
                entries.remove(&before);
            }
            if !is_removed {
                ids.insert(name, *id);
                entries.insert(*id, body.clone());
            }
        }
        entries
    }
}

struct KnownTerm {
    term: Term,
    run: u64,
    written: u64,
}

struct Server {
    run: u64,
    streams: Vec<Stream>,
    terms: Vec<KnownTerm>,
    written: u64,
    connections: u64,
    killed: BTreeSet<u64>,
    is_away: bool,
    is_full: bool,
    /// How many entries of each stream it keeps, if it counts.
    kept: Option<usize>,
    /// Whether it ends no connection for others.
    is_unfenced: bool,
    /// Whether the one before goes on, for those who read there, when it starts anew.
    is_forked: bool,
    ticket_key: Option<TicketKey>,
}

/// The server, and the network before it.
#[derive(Clone)]
pub(super) struct Memory {
    server: Arc<Mutex<Server>>,
    changed: watch::Sender<u64>,
    began: Instant,
    dice: Dice,
    /// How many of a hundred calls fail.
    faults: Arc<Mutex<u64>>,
    /// Whether this node can't read.
    is_deaf: Arc<AtomicBool>,
}

fn cut() -> CarrierError {
    CarrierError { reason: "the connection was cut".to_owned(), is_final: false }
}

impl Server {
    fn append(&mut self, connection: u64, term: u64, entries: &[ToAppend]) -> Appended {
        if self.is_full || self.killed.contains(&connection) {
            return Appended::Full;
        }
        let (mut ids, mut is_stale) = (Vec::new(), false);
        for ToAppend { stream, body, last_of } in entries {
            let Stream { exists, last, .. } = self.streams[*stream];
            if !exists || last.term > term {
                is_stale = true;
                continue;
            }
            // As Redis counts.
            let index = if last.term == term { last.index + 1 } else { 0 };
            let id = EntryId { term, index };
            ids.push(id);
            if let Some(last_of) = last_of.clone() {
                let last = (self.written, last_of, id, body.clone());
                self.streams[*stream].were_last.push(last);
            }
            self.push(*stream, id, body.clone());
        }
        if is_stale { Appended::Stale } else { Appended::All(ids) }
    }

    fn read(&self, run: u64, after: &[EntryId], most: usize) -> Result<ReadEntries, CarrierError> {
        if self.is_forked && self.run != run {
            return Ok(ReadEntries { entries: Vec::new(), are_all: true });
        }
        if self.is_away || self.run != run {
            return Err(cut());
        }
        let mut entries = Vec::new();
        let mut are_all = true;
        for (stream, after) in after.iter().enumerate() {
            let kept = &self.streams[stream].entries;
            let first = kept.partition_point(|entry| entry.id <= *after);
            are_all &= kept.len() - first <= most;
            entries.extend(kept.range(first..).take(most).map(|Entry { id, body, .. }| Read {
                stream,
                id: *id,
                body: body.clone(),
            }));
        }
        Ok(ReadEntries { entries, are_all })
    }

    fn push(&mut self, stream: usize, id: EntryId, body: Vec<u8>) {
        let written = self.written;
        self.written += 1;
        let stream = &mut self.streams[stream];
        (stream.exists, stream.last) = (true, id);
        stream.entries.push_back(Entry { id, written, body });
        let excess = stream.entries.len().saturating_sub(self.kept.unwrap_or(usize::MAX));
        stream.entries.drain(..excess);
        stream.ids.push((written, id));
    }

    fn flush(&mut self) {
        self.streams.iter_mut().for_each(|stream| *stream = Stream::default());
        self.terms.clear();
        self.ticket_key = None;
    }

    fn open(&mut self, known: &Known, now: u64, epoch: u64) {
        let least = known.cursors.iter().map(|id| id.next_term()).max().unwrap_or_default();
        let last = self.terms.last().map_or(0, |last| last.term.term);
        let is_known = |(term, epoch)| {
            let same = self.terms.iter().rfind(|it| it.term.term == term);
            same.map_or(last > term && last >= least, |same| same.term.epoch == epoch)
        };
        // As term.lua does.
        let last_term = if last > 0 { last } else { known.term.unwrap_or_default().0 };
        let twice = EntryId { term: last_term, index: 0 };
        let is_spoiled = |stream: &Stream| stream.entries.iter().any(|entry| entry.id == twice);
        let is_same = self.terms.last().is_some_and(|last| last.run == self.run)
            && self.streams.iter().all(|stream| stream.exists && stream.last.term == last)
            && !self.streams.iter().any(is_spoiled)
            && known.term.is_none_or(is_known);
        if is_same {
            return;
        }
        let behind = self.streams.iter().map(|stream| stream.last.next_term());
        let term = behind.chain([now, last + 1, least]).max().unwrap_or_default();
        let heads = self.streams.iter_mut().map(|stream| {
            if is_spoiled(stream) {
                stream.entries.clear();
                return twice;
            }
            let ids = stream.entries.iter().map(|entry| entry.id).chain([stream.last]);
            let of_last = |id: &EntryId| id.term == last_term;
            ids.filter(of_last).max().unwrap_or_default()
        });
        let heads: Vec<_> = heads.collect();
        for (stream, head) in heads.iter().enumerate() {
            let body = first_of_term(epoch, *head).into_bytes();
            self.push(stream, EntryId { term, index: 1 }, body);
        }
        let (run, written) = (self.run, self.written);
        self.terms.push(KnownTerm { term: Term { term, epoch, heads }, run, written });
    }
}

impl Memory {
    pub(super) fn new(streams: usize, dice: Dice) -> Memory {
        let server = Server {
            run: 1,
            streams: (0..streams).map(|_| Stream::default()).collect(),
            terms: Vec::new(),
            written: 0,
            connections: 0,
            killed: BTreeSet::new(),
            is_away: false,
            is_full: false,
            kept: None,
            is_unfenced: false,
            is_forked: false,
            ticket_key: None,
        };
        Memory {
            server: Arc::new(Mutex::new(server)),
            changed: watch::Sender::new(0),
            began: Instant::now(),
            dice,
            faults: Arc::default(),
            is_deaf: Arc::default(),
        }
    }

    fn with<R>(&self, work: impl FnOnce(&mut Server) -> R) -> R {
        let done = work(&mut self.server.lock().unwrap());
        self.changed.send_modify(|changes| *changes += 1);
        done
    }

    pub(super) fn set_faults(&self, percent: u64) {
        *self.faults.lock().unwrap() = percent;
    }

    fn fails(&self) -> bool {
        self.dice.is(*self.faults.lock().unwrap())
    }

    pub(super) fn for_a_node(&self) -> Memory {
        Memory { is_deaf: Arc::default(), ..self.clone() }
    }

    pub(super) fn be_deaf(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, Ordering::Relaxed);
    }

    pub(super) fn be_away(&self, is_away: bool) {
        self.with(|server| server.is_away = is_away);
    }

    pub(super) fn be_full(&self, is_full: bool) {
        self.with(|server| server.is_full = is_full);
    }

    pub(super) fn be_unfenced(&self, is_unfenced: bool) {
        self.with(|server| server.is_unfenced = is_unfenced);
    }

    /// Starts anew; what was written last is gone, up to so many entries.
    pub(super) fn restart(&self, lost: u64) {
        self.with(|server| {
            server.run += 1;
            let kept = server.written.saturating_sub(lost);
            server.terms.retain(|term| term.written <= kept);
            for stream in &mut server.streams {
                stream.entries.retain(|entry| entry.written < kept);
                stream.ids.retain(|(written, _)| *written < kept);
                stream.were_last.retain(|(written, ..)| *written < kept);
                stream.last = stream.ids.last().map(|(_, id)| *id).unwrap_or_default();
                stream.exists &= !stream.ids.is_empty();
            }
            server.killed = (0..=server.connections).collect();
        });
    }

    /// Another one takes over, and who reads isn't told.
    pub(super) fn fork(&self) {
        self.with(|server| server.is_forked = true);
        self.restart(0);
    }

    /// Loses everything, and goes on.
    pub(super) fn flush(&self) {
        self.with(Server::flush);
    }

    /// Loses everything, and has been begun anew in the same term, or so many before it: by
    /// a node that knows nothing, after the clock was set back.
    pub(super) fn begin_anew(&self, earlier: u64) {
        let epoch = self.dice.below(u64::MAX);
        self.with(|server| {
            let last = server.terms.last().map_or(0, |last| last.term.term);
            server.flush();
            let known = Known { term: None, cursors: Vec::new(), ticket_key: [0; 32].into() };
            server.open(&known, last - earlier, epoch);
        });
    }

    /// Loses a stream.
    pub(super) fn evict(&self, stream: usize) {
        self.with(|server| server.streams[stream] = Stream::default());
    }

    /// Has somebody else write what isn't an entry of a node: as the next one of a term, or
    /// as of now.
    pub(super) fn scribble(&self, stream: usize, is_of_now: bool) {
        let now = self.time().as_millis() as u64;
        self.with(|server| {
            let EntryId { term, index } = server.streams[stream].last;
            let id = match is_of_now && now > term {
                true => EntryId { term: now, index: 0 },
                false => EntryId { term, index: index + 1 },
            };
            server.push(stream, id, b"rubbish".to_vec());
        });
    }

    /// Keeps so many entries of each stream from now on.
    pub(super) fn keep(&self, kept: usize) {
        self.trim(kept);
        self.with(|server| server.kept = Some(kept));
    }

    /// Drops all but so many entries of each stream.
    pub(super) fn trim(&self, kept: usize) {
        self.with(|server| {
            for stream in &mut server.streams {
                let excess = stream.entries.len().saturating_sub(kept);
                stream.entries.drain(..excess);
            }
        });
    }

    /// Returns what its clock shows.
    pub(super) fn time(&self) -> Duration {
        Duration::from_millis(FIRST_TERM) + self.began.elapsed()
    }

    async fn delay(&self) {
        sleep(Duration::from_millis(self.dice.below(5))).await;
    }
}

pub(super) struct MemoryAppender {
    memory: Memory,
    connection: u64,
}

pub(super) struct MemoryReader {
    memory: Memory,
    run: u64,
}

impl Carrier for Memory {
    type Appender = MemoryAppender;
    type Reader = MemoryReader;

    async fn open(
        &self,
        known: &Known,
        before: Option<&MemoryAppender>,
    ) -> Result<Opened<MemoryAppender>, CarrierError> {
        self.delay().await;
        if self.fails() || self.with(|server| server.is_away) {
            return Err(cut());
        }
        let now = self.time().as_millis() as u64;
        let epoch = self.dice.below(u64::MAX);
        let (connection, terms, tops, ticket_key, is_fenced) = self.with(|server| {
            server.connections += 1;
            let before = before.map(|before| before.connection);
            if !server.is_unfenced {
                server.killed.extend(before);
            }
            let is_fenced = before.is_none_or(|before| server.killed.contains(&before));
            server.open(known, now, epoch);
            let terms = server.terms.iter().map(|it| it.term.clone()).collect();
            let top =
                |stream: &Stream| Top { id: stream.last, is_kept: !stream.entries.is_empty() };
            let tops = server.streams.iter().map(top).collect();
            let key = server.ticket_key.get_or_insert_with(|| known.ticket_key.clone());
            (server.connections, terms, tops, key.clone(), is_fenced)
        });
        self.delay().await;
        let appender = MemoryAppender { memory: self.clone(), connection };
        Ok(Opened { appender, terms, tops, ticket_key, is_fenced })
    }

    async fn reader(&self) -> Result<MemoryReader, CarrierError> {
        self.delay().await;
        let (is_away, run) = self.with(|server| (server.is_away, server.run));
        if self.fails() || is_away {
            return Err(cut());
        }
        Ok(MemoryReader { memory: self.clone(), run })
    }
}

impl Appender for MemoryAppender {
    async fn append(&mut self, term: u64, entries: &[ToAppend]) -> Result<Appended, CarrierError> {
        let (memory, connection) = (self.memory.clone(), self.connection);
        memory.delay().await;
        let is_cut = move |server: &Server| server.is_away || server.killed.contains(&connection);
        if memory.with(|server| is_cut(server)) || memory.fails() {
            return Err(cut());
        }
        if memory.fails() {
            // It arrives later, unless the connection is ended before.
            let (late, entries) = (memory.clone(), entries.to_vec());
            tokio::spawn(async move {
                sleep(Duration::from_millis(late.dice.below(300))).await;
                late.with(|server| {
                    if !is_cut(server) {
                        server.append(connection, term, &entries);
                    }
                });
            });
            return Err(cut());
        }
        let appended = memory.with(|server| server.append(connection, term, entries));
        if memory.fails() {
            return Err(cut());
        }
        Ok(appended)
    }

    async fn time(&mut self) -> Result<Duration, CarrierError> {
        let (memory, connection) = (&self.memory, self.connection);
        memory.delay().await;
        let is_cut = |server: &mut Server| server.is_away || server.killed.contains(&connection);
        if memory.with(is_cut) || memory.fails() {
            return Err(cut());
        }
        let time = memory.time();
        memory.delay().await;
        Ok(time)
    }
}

impl Reader for MemoryReader {
    async fn read(&mut self, after: &[EntryId]) -> Result<ReadEntries, CarrierError> {
        let memory = &self.memory;
        let mut changes = memory.changed.subscribe();
        let most = 1 + memory.dice.below(40) as usize;
        let reading = async {
            loop {
                changes.mark_unchanged();
                let read = memory.server.lock().unwrap().read(self.run, after, most)?;
                if !read.entries.is_empty() {
                    return Ok(read);
                }
                if changes.changed().await.is_err() {
                    return Err(cut());
                }
            }
        };
        let read = timeout(READ_TIMEOUT, reading)
            .await
            .unwrap_or_else(|_| Ok(ReadEntries { entries: Vec::new(), are_all: true }));
        if memory.fails() || memory.is_deaf.load(Ordering::Relaxed) { Err(cut()) } else { read }
    }

    async fn last(
        &mut self,
        stream: usize,
        until: EntryId,
        bytes: usize,
    ) -> Result<LastEntries, CarrierError> {
        let memory = &self.memory;
        let (mut last, mut taken) = (LastEntries::default(), 0);
        let mut below = EntryId { index: until.index + 1, ..until };
        loop {
            // A part at a time, while others append.
            memory.delay().await;
            let most = 1 + memory.dice.below(4) as usize;
            let (known_at, part) = {
                let server = memory.server.lock().unwrap();
                let is_deaf = memory.is_deaf.load(Ordering::Relaxed);
                if server.is_away || server.run != self.run || is_deaf || memory.fails() {
                    return Err(cut());
                }
                let of = &server.streams[stream];
                let older: Vec<_> = of.last_entries().into_iter().rev().collect();
                let older = older.into_iter().filter(|(id, _)| *id < below);
                (of.last, older.take(most).collect::<Vec<_>>())
            };
            last.known_at = known_at;
            let Some((lowest, _)) = part.last() else { return Ok(last) };
            below = *lowest;
            taken += part.iter().map(|(_, body)| body.len()).sum::<usize>();
            last.entries.extend(part);
            if taken >= bytes {
                return Ok(last);
            }
        }
    }
}
