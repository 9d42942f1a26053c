//! What a backplane needs of a carrier: a log for each stream, in which the nodes of a
//! server append entries, and from which each of them reads all.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::app::tickets::TicketKey;
use crate::push::engine::LastOf;

/// The place of an entry in its stream.
///
/// A term begins whenever entries may have been lost, in all streams, with an entry of
/// its own, whose index is 1. The terms of a server rise, and so do their numbers, as a
/// term is at least the millisecond in which it began: no carrier takes
/// [`ENTRIES_PER_TERM`] entries in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryId {
    pub(crate) term: u64,
    pub(crate) index: u64,
}

/// How many numbers there are between two terms that begin a millisecond apart.
pub(crate) const ENTRIES_PER_TERM: u64 = 1 << 12;

/// The millisecond in which numbers begin: that of 2025.
pub(crate) const FIRST_TERM: u64 = 1_735_689_600_000;

/// The last term whose numbers are below 2⁵³: in the year 2094.
pub(crate) const LAST_TERM: u64 = FIRST_TERM + (1 << 41) - 1;

impl EntryId {
    /// Whether it is one that a node may have appended: others have no number.
    pub(crate) fn has_number(self) -> bool {
        let term = self.term.checked_add(self.index / ENTRIES_PER_TERM);
        term.is_some_and(|term| term <= LAST_TERM)
    }

    /// Returns the number of the message in this entry: below 2⁵³, as all of them.
    pub(crate) fn number(self) -> u64 {
        self.term.saturating_sub(FIRST_TERM) * ENTRIES_PER_TERM + self.index
    }

    /// Returns the number of the position behind it, also if it is no message.
    pub(crate) fn behind(self) -> u64 {
        self.number() + 1
    }

    /// Returns the least term whose numbers are all higher.
    pub(crate) fn next_term(self) -> u64 {
        self.term + self.index / ENTRIES_PER_TERM + 1
    }

    /// Whether nothing comes between an entry and the one with this id.
    pub(crate) fn is_next_to(self, before: EntryId) -> bool {
        self.term == before.term && self.index == before.index + 1
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.term, self.index)
    }
}

/// From its text.
impl FromStr for EntryId {
    type Err = ();

    fn from_str(text: &str) -> Result<EntryId, ()> {
        let (term, index) = text.split_once('-').ok_or(())?;
        let number = |text: &str| text.parse().map_err(drop);
        Ok(EntryId { term: number(term)?, index: number(index)? })
    }
}

/// A term, as a carrier remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) term: u64,
    /// The epoch of its positions.
    pub(crate) epoch: u64,
    /// The last entry of each stream before it; the default if there was none.
    pub(crate) heads: Vec<EntryId>,
}

/// What a node knows when it connects.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The term that it has seen last, and its epoch.
    pub(crate) term: Option<(u64, u64)>,
    /// The last entry of each stream that it has read.
    pub(crate) cursors: Vec<EntryId>,
    /// The key of the tickets that it gives out.
    pub(crate) ticket_key: TicketKey,
}

/// A connection by which a node appends.
pub(crate) struct Opened<A> {
    pub(crate) appender: A,
    /// The last terms, the current one at last.
    pub(crate) terms: Vec<Term>,
    /// The last entry of each stream now.
    pub(crate) tops: Vec<Top>,
    /// That of the first node, which all use.
    pub(crate) ticket_key: TicketKey,
    /// Whether nothing that the connection before has sent, and that isn't there by now,
    /// will ever be.
    pub(crate) is_fenced: bool,
}

/// The last entry of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Top {
    pub(crate) id: EntryId,
    /// Whether it can be read: somebody may have trimmed the stream to nothing.
    pub(crate) is_kept: bool,
}

/// An entry to append.
#[derive(Clone)]
pub(crate) struct ToAppend {
    pub(crate) stream: usize,
    pub(crate) body: Vec<u8>,
    /// Of what it is the last one, if the carrier is to keep it until another one is.
    pub(crate) last_of: Option<LastOf>,
}

/// What became of entries that were appended together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// All of them; with the id of each.
    All(Vec<EntryId>),
    /// Not all of them: another term has begun, or a stream is gone.
    Stale,
    /// None of them: the carrier has no room.
    Full,
}

/// An entry that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) stream: usize,
    pub(crate) id: EntryId,
    pub(crate) body: Vec<u8>,
}

/// What there is behind some entries.
#[derive(Debug, Default)]
pub(crate) struct ReadEntries {
    pub(crate) entries: Vec<Read>,
    /// Whether there is no more of any stream, at the moment of all of them.
    pub(crate) are_all: bool,
}

/// What is kept of a stream's entries up to one, however long ago they were appended.
#[derive(Debug, Default)]
pub(crate) struct LastEntries {
    /// The last one of each kind, the newest first.
    pub(crate) entries: Vec<(EntryId, Vec<u8>)>,
    /// Until this entry is read, those are lacking that another one of their kind has
    /// replaced by then.
    pub(crate) known_at: EntryId,
}

/// Why a carrier can't be used at the moment, or at all.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct CarrierError {
    pub(crate) reason: String,
    /// Whether it will be the same next time.
    pub(crate) is_final: bool,
}

/// How long a reader waits for entries before it says that there are none.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// How much is appended at once.
pub(crate) const MAX_BATCH_ENTRIES: usize = 512;
pub(crate) const MAX_BATCH_BYTES: usize = 256 << 10;

pub(crate) trait Carrier: Send + Sync + 'static {
    type Appender: Appender;
    type Reader: Reader;

    /// Opens a connection to append by, in place of the one before.
    ///
    /// Begins a term if the carrier isn't the one in which the last term began, if a
    /// stream is gone, or if it doesn't know the term that the node knows and none has begun
    /// since; or if a stream was deleted and written to, so that numbers come twice. What
    /// stands there then is dropped.
    fn open(
        &self,
        known: &Known,
        before: Option<&Self::Appender>,
    ) -> impl Future<Output = Result<Opened<Self::Appender>, CarrierError>> + Send;

    /// Opens a connection to read by.
    fn reader(&self) -> impl Future<Output = Result<Self::Reader, CarrierError>> + Send;
}

pub(crate) trait Appender: Send + 'static {
    /// Appends entries in a term, in their order, each to its stream: of each stream, all
    /// or none.
    ///
    /// After an error it isn't known which, and the connection is of no more use.
    fn append(
        &mut self,
        term: u64,
        entries: &[ToAppend],
    ) -> impl Future<Output = Result<Appended, CarrierError>> + Send;

    /// Asks for the time since 1970, by the clock of the carrier.
    ///
    /// After an error, the connection is of no more use.
    fn time(&mut self) -> impl Future<Output = Result<Duration, CarrierError>> + Send;
}

pub(crate) trait Reader: Send + 'static {
    /// Waits for entries behind these, of each stream, for [`READ_TIMEOUT`] at most.
    ///
    /// After an error, the connection is of no more use.
    fn read(
        &mut self,
        after: &[EntryId],
    ) -> impl Future<Output = Result<ReadEntries, CarrierError>> + Send;

    /// Asks for [the last entries](LastOf) of a stream up to one, after which it was read,
    /// or is read next: the newest, of about so many `bytes`, but at least one.
    ///
    /// After an error, the connection is of no more use.
    fn last(
        &mut self,
        stream: usize,
        until: EntryId,
        bytes: usize,
    ) -> impl Future<Output = Result<LastEntries, CarrierError>> + Send;
}
