//! Entries as bytes.
//!
//! | bytes | |
//! |---|---|
//! | 1 | the version, 1 |
//! | 1 | what it is |
//! | 8 | the epoch of its term |
//! | 8 | the node that has appended it |
//! | 8 | how many messages that node has sent in this channel before; or, of what a node says to others, how much that is with this |
//! | 8 | when, in milliseconds since 1970; in the stream of the nodes by the carrier's clock |
//! | … | the message; if it isn't for everyone, behind a header with its length, 4 bytes. Of a tick: its slot, 8 bytes, and its job |
//!
//! All numbers are big-endian. The first entry of a term is a text instead: its epoch in
//! hexadecimal digits, a space, and the id of the entry before.

use pode_core::Message;

use super::carrier::EntryId;
use crate::push::engine::Envelope;
use crate::push::wire::{is_binary, pack, unpack};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 2 + 4 * 8;

const TEXT: u8 = 0;
const BINARY: u8 = 1;
const ENVELOPE: u8 = 2;
const LOST: u8 = 3;
const ALIVE: u8 = 4;
const TICK: u8 = 5;
const SAID: u8 = 6;

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) epoch: u64,
    pub(super) node: u64,
    pub(super) serial: u64,
    pub(super) sent_ms: u64,
}

/// What a node appends.
#[derive(Debug)]
pub(super) enum What<'entry> {
    /// A message, or a command that concerns all nodes.
    Envelope(&'entry Envelope),
    /// Messages of earlier terms from this number on are lost.
    Lost { from: u64 },
    /// The node is there. By this name its clients are present.
    Alive { present_as: u64 },
    /// The node claims to fire a job, in the slot that begins in that millisecond.
    Tick { job: &'entry str, slot: u64 },
    /// What it says to the others.
    Said(&'entry [u8]),
}

/// An entry that was read, without what is in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'entry> {
    /// To be [opened](Sealed::open).
    Envelope(Sealed<'entry>),
    Lost {
        from: u64,
    },
    Alive {
        present_as: u64,
    },
    Tick {
        job: &'entry str,
        slot: u64,
    },
    Said(&'entry [u8]),
}

/// A message that wasn't decoded yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed<'entry> {
    kind: u8,
    bytes: &'entry [u8],
}

/// What was read is none of our entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {bytes} bytes isn't of this version, or is damaged")]
pub(super) struct Unsound {
    bytes: usize,
}

impl What<'_> {
    /// Returns the bytes of an entry; `None` if it concerns only this process.
    pub(super) fn write(&self, origin: Origin) -> Option<Vec<u8>> {
        let (header, payload);
        let (kind, parts): (u8, &[&[u8]]) = match self {
            What::Envelope(Envelope::Broadcast(message)) => {
                payload = message.payload();
                (if is_binary(message.frame()) { BINARY } else { TEXT }, &[payload])
            }
            What::Envelope(envelope) => {
                let (what, rest) = pack(envelope).ok()?;
                header = serde_json::to_vec(&what).ok()?;
                let length = u32::try_from(header.len()).ok()?.to_be_bytes();
                return Some(written(origin, ENVELOPE, &[&length, &header, rest]));
            }
            What::Lost { from } => return Some(written(origin, LOST, &[&from.to_be_bytes()])),
            What::Tick { job, slot } => {
                let parts: &[&[u8]] = &[&slot.to_be_bytes(), job.as_bytes()];
                return Some(written(origin, TICK, parts));
            }
            What::Alive { present_as } => {
                return Some(written(origin, ALIVE, &[&present_as.to_be_bytes()]));
            }
            What::Said(said) => return Some(written(origin, SAID, &[said])),
        };
        Some(written(origin, kind, parts))
    }
}

fn written(origin: Origin, kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let Origin { epoch, node, serial, sent_ms } = origin;
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + length);
    bytes.extend([VERSION, kind]);
    for number in [epoch, node, serial, sent_ms] {
        bytes.extend(number.to_be_bytes());
    }
    parts.iter().for_each(|part| bytes.extend(*part));
    bytes
}

/// Reads an entry.
pub(super) fn read(bytes: &[u8]) -> Result<(Origin, Found<'_>), Unsound> {
    let unsound = Unsound { bytes: bytes.len() };
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(unsound);
    };
    let number = |index: usize| {
        let start = 2 + 8 * index;
        header[start..start + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let [epoch, node, serial, sent_ms] = [0, 1, 2, 3].map(number);
    let found = match (header[0], header[1]) {
        (VERSION, kind @ (TEXT | BINARY | ENVELOPE)) => {
            Found::Envelope(Sealed { kind, bytes: rest })
        }
        (VERSION, LOST) => {
            let from = rest.try_into().map(u64::from_be_bytes).map_err(|_| unsound)?;
            Found::Lost { from }
        }
        (VERSION, ALIVE) => {
            let present_as = rest.try_into().map(u64::from_be_bytes).map_err(|_| unsound)?;
            Found::Alive { present_as }
        }
        (VERSION, TICK) => {
            let (slot, job) = rest.split_first_chunk().ok_or(unsound)?;
            let job = std::str::from_utf8(job).map_err(|_| unsound)?;
            Found::Tick { job, slot: u64::from_be_bytes(*slot) }
        }
        (VERSION, SAID) => Found::Said(rest),
        _ => return Err(unsound),
    };
    Ok((Origin { epoch, node, serial, sent_ms }, found))
}

impl Sealed<'_> {
    /// Returns the message.
    pub(super) fn open(&self) -> Result<Envelope, Unsound> {
        let unsound = || Unsound { bytes: self.bytes.len() };
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| unsound());
        match self.kind {
            TEXT => Ok(Envelope::Broadcast(Message::text(text(self.bytes)?))),
            BINARY => Ok(Envelope::Broadcast(Message::binary(self.bytes))),
            _ => {
                let (length, rest) = self.bytes.split_first_chunk().ok_or_else(unsound)?;
                let length = u32::from_be_bytes(*length) as usize;
                let (header, payload) = rest.split_at_checked(length).ok_or_else(unsound)?;
                let what = serde_json::from_slice(header).map_err(|_| unsound())?;
                unpack(what, payload).map_err(|_| unsound())
            }
        }
    }
}

/// Returns the first entry of a term; a real carrier writes it itself.
#[cfg(test)]
pub(super) fn first_of_term(epoch: u64, head: EntryId) -> String {
    format!("{epoch:016x} {head}")
}

/// Reads the first entry of a term: its epoch, and the entry before.
pub(super) fn read_first_of_term(bytes: &[u8]) -> Result<(u64, EntryId), Unsound> {
    let read = || {
        let (epoch, head) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        Some((u64::from_str_radix(epoch, 16).ok()?, head.parse().ok()?))
    };
    read().ok_or(Unsound { bytes: bytes.len() })
}
