//! The last entry of each kind, which is kept when its stream is trimmed: `trim.lua` puts
//! it into a hash, and `last.lua` reads it there.

use ::redis::{Pipeline, cmd};

use super::connection::Connection;
use super::{READ_BYTES, READ_ENTRIES, failed, id_of};
use crate::backplane::carrier::{
    CarrierError, ENTRIES_PER_TERM, EntryId, FIRST_TERM, LastEntries, ToAppend,
};
use crate::push::engine::LastOf;

const TRIM: &str = include_str!("trim.lua");
const READ: &str = include_str!("last.lua");

/// After how many entries, or bytes, that one node has appended a stream is trimmed.
const ENTRIES_PER_TRIM: usize = 128;
const BYTES_PER_TRIM: usize = 256 << 10;

/// What is kept of a stream's last entries.
#[derive(Clone)]
pub(super) struct LastKeys {
    hash: String,
    numbers: String,
    /// How many there are at most.
    kept: usize,
}

/// Trims a stream, and keeps its last entries.
pub(super) struct Trim {
    keys: LastKeys,
    /// What was appended since it was trimmed.
    entries: usize,
    bytes: usize,
}

/// Says in an entry of what it is the last one, as `trim.lua` reads it.
pub(super) fn mark(last_of: Option<&LastOf>) -> String {
    match last_of {
        Some(LastOf { name, is_removed: false }) => format!("={name}"),
        Some(LastOf { name, is_removed: true }) => format!("-{name}"),
        None => String::new(),
    }
}

impl LastKeys {
    pub(super) fn new(prefix: &str, stream: &str, kept: usize) -> LastKeys {
        let [hash, numbers] =
            ["last", "last-numbers"].map(|kind| format!("{prefix}:{kind}:{stream}"));
        LastKeys { hash, numbers, kept }
    }

    /// Reads the last entries up to one, the newest first, until they are so many `bytes`.
    pub(super) async fn read(
        &self,
        connection: &mut Connection,
        until: EntryId,
        bytes: usize,
    ) -> Result<LastEntries, CarrierError> {
        let odd = || failed(format!("`{}` isn't written by pode", self.hash));
        let (mut entries, mut taken) = (Vec::new(), 0);
        let mut below = until.behind().to_string();
        loop {
            let mut read = cmd("EVAL");
            read.arg(READ).arg(2).arg(&self.hash).arg(&self.numbers);
            read.arg(&below).arg(READ_ENTRIES).arg(READ_BYTES);
            let (known_at, values, lowest): (String, Vec<Vec<u8>>, String) =
                connection.ask(&read).await?;
            // It is absent where none was dropped.
            let known_at = id_of(known_at.as_bytes()).unwrap_or_default();
            // If others have dropped entries since, none is better than one that isn't the
            // last any more.
            if known_at < until {
                return Ok(LastEntries::default());
            }
            for value in values {
                let blank = value.iter().position(|byte| *byte == b' ').ok_or_else(odd)?;
                let id = id_of(&value[..blank]).ok_or_else(odd)?;
                taken += value.len();
                entries.push((id, value[blank + 1..].to_vec()));
            }
            if lowest.is_empty() || taken >= bytes {
                return Ok(LastEntries { entries, known_at });
            }
            below = lowest;
        }
    }
}

impl Trim {
    /// One that is due as soon as something is appended, whatever others have done.
    pub(super) fn new(keys: LastKeys) -> Trim {
        Trim { keys, entries: ENTRIES_PER_TRIM, bytes: 0 }
    }

    /// Notes that an entry is appended.
    pub(super) fn note(&mut self, entry: &ToAppend) {
        self.entries += 1;
        self.bytes += entry.body.len();
    }

    /// Adds the command to a batch that appends to the stream, if it is due.
    pub(super) fn add_if_due(&mut self, batch: &mut Pipeline, stream: &str, kept: usize) {
        if self.entries < ENTRIES_PER_TRIM && self.bytes < BYTES_PER_TRIM {
            return;
        }
        (self.entries, self.bytes) = (0, 0);
        let LastKeys { hash, numbers, kept: last_kept } = &self.keys;
        batch.cmd("EVAL").arg(TRIM).arg(3).arg(stream).arg(hash).arg(numbers);
        batch.arg(kept).arg(last_kept).arg(FIRST_TERM).arg(ENTRIES_PER_TERM).ignore();
    }
}
