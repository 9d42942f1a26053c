//! The kept messages of one path that have no key, oldest first.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Weigh;

/// The largest chunk, unless a single frame is larger.
const MAX_CHUNK_BYTES: usize = 64 << 10;
const MIN_CHUNK_BYTES: usize = 512;

/// Frames one behind the other, in chunks: so a message takes its bytes and one
/// [`Entry`], and nothing is moved when the oldest go.
#[derive(Clone, Debug)]
pub(super) struct Ring<A> {
    chunks: VecDeque<Chunk<A>>,
    len: usize,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Chunk<A> {
    frames: Vec<u8>,
    entries: Vec<Entry<A>>,
    /// How many of the entries are dropped; their memory goes with the chunk.
    dropped: usize,
}

/// A kept message.
#[derive(Clone, Debug)]
pub(super) struct Entry<A> {
    pub(super) number: u64,
    /// When it was sent, in seconds.
    pub(super) sent: u32,
    /// Where its frame ends in its chunk.
    end: u32,
    /// Absent if it is for everyone.
    pub(super) audience: Option<Arc<A>>,
}

/// What an entry takes of the bytes that a log may have.
pub(super) const ENTRY_BYTES: usize = size_of::<Entry<()>>();

impl<A> Default for Ring<A> {
    fn default() -> Ring<A> {
        Ring { chunks: VecDeque::new(), len: 0, bytes: 0 }
    }
}

impl<A: Weigh> Ring<A> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns what the messages count.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn first(&self) -> Option<&Entry<A>> {
        let chunk = self.chunks.front()?;
        chunk.entries.get(chunk.dropped)
    }

    /// Adds a message, whose number is higher than all before.
    pub(super) fn push(&mut self, number: u64, sent: u32, audience: Option<Arc<A>>, frame: &[u8]) {
        // Larger as the ring grows, so that a path with few messages takes little.
        let most_bytes = (self.bytes / 4).clamp(MIN_CHUNK_BYTES, MAX_CHUNK_BYTES);
        let fits = |chunk: &Chunk<A>| chunk.frames.len() + frame.len() <= most_bytes;
        if !self.chunks.back().is_some_and(fits) {
            if let Some(full) = self.chunks.back_mut() {
                full.frames.shrink_to_fit();
                full.entries.shrink_to_fit();
            }
            let (frames, entries) = (Vec::with_capacity(frame.len()), Vec::with_capacity(1));
            self.chunks.reserve_exact(usize::from(self.chunks.is_empty()));
            self.chunks.push_back(Chunk { frames, entries, dropped: 0 });
        }
        let Some(chunk) = self.chunks.back_mut() else { return };
        chunk.frames.extend_from_slice(frame);
        let entry = Entry { number, sent, end: chunk.frames.len() as u32, audience };
        self.len += 1;
        self.bytes += entry.bytes(frame);
        chunk.entries.push(entry);
    }

    /// Drops the oldest message; returns its number.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let chunk = self.chunks.front_mut()?;
        let (entry, frame) = (&chunk.entries[chunk.dropped], chunk.frame(chunk.dropped));
        let (number, bytes) = (entry.number, entry.bytes(frame));
        chunk.dropped += 1;
        if chunk.dropped == chunk.entries.len() {
            self.chunks.pop_front();
            if self.chunks.is_empty() {
                self.chunks = VecDeque::new();
            }
        }
        self.len -= 1;
        self.bytes -= bytes;
        Some(number)
    }

    /// Returns the messages from a number on, with their frames.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = (&Entry<A>, &[u8])> {
        let is_before =
            |chunk: &Chunk<A>| chunk.entries.last().is_some_and(|last| last.number < number);
        let chunk = self.chunks.partition_point(is_before);
        self.chunks.range(chunk..).flat_map(move |chunk| {
            let first = chunk.entries.partition_point(|entry| entry.number < number);
            let indices = first.max(chunk.dropped)..chunk.entries.len();
            indices.map(|index| (&chunk.entries[index], chunk.frame(index)))
        })
    }

    /// Returns the entries, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Entry<A>> {
        self.chunks.iter().rev().flat_map(|chunk| chunk.entries[chunk.dropped..].iter().rev())
    }
}

impl<A: Weigh> Entry<A> {
    fn bytes(&self, frame: &[u8]) -> usize {
        frame.len() + ENTRY_BYTES + self.audience.as_ref().map_or(0, |audience| audience.bytes())
    }
}

impl<A> Chunk<A> {
    fn frame(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].end);
        &self.frames[start as usize..self.entries[index].end as usize]
    }
}
