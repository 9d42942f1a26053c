//! A stream of the carrier, and what is in the channel and the log of this node of it.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pode_core::SendError;
use pode_core::hub::{Channel, Kept, Log, Parcel};

use super::carrier::{CarrierError, EntryId, LastEntries, Reader, Term, Top};
use super::entry::{self, Found, Unsound};
use crate::base::log::ration::rationed;
use crate::base::seconds::seconds;
use crate::push::engine::{Audience, Command, Envelope, Why};

/// A stream of the carrier, as this node has read it.
pub(super) struct Stream {
    /// Absent for that of the nodes.
    pub(super) channel: Option<Channel<Envelope>>,
    /// Whether the carrier keeps its last messages longer than others.
    pub(super) has_lasting: bool,
    /// Those before the next entry, if not all that was there before was read.
    pub(super) last: Option<LastEntries>,
    pub(super) cursor: EntryId,
    /// The entry before some that are no longer kept, or before what others wrote as of
    /// another time, while all behind these can't be read: what is missing is told with the
    /// next one that can.
    pub(super) missed_after: Option<EntryId>,
    /// The term whose beginning is lost, so that its numbers come twice.
    pub(super) spoiled: Option<u64>,
    /// What there was at the start: up to there it goes into the log alone.
    pub(super) top: Top,
    pub(super) is_loaded: bool,
    /// Where it was last said that messages before that term are lost, from which number
    /// on.
    pub(super) lost: (EntryId, u64),
}

impl Stream {
    /// Asks for the last messages before an entry, if some before it can't be read.
    pub(super) async fn ask_for_last(
        &mut self,
        reader: &mut impl Reader,
        index: usize,
        id: EntryId,
        body: &[u8],
    ) -> Result<(), CarrierError> {
        self.last = None;
        if let Some(channel) = self.channel.as_ref().filter(|_| self.has_lasting)
            && let Some(unread) = unread_before(self.missed_after.unwrap_or(self.cursor), id, body)
        {
            self.last = Some(reader.last(index, unread, bytes_of(channel)).await?);
        }
        Ok(())
    }

    /// Takes the last messages of a stream of which nothing else is kept.
    pub(super) async fn load_last(
        &mut self,
        reader: &mut impl Reader,
        index: usize,
    ) -> Result<(), CarrierError> {
        let Some(channel) = &self.channel else { return Ok(()) };
        let top = self.top.id;
        let last = match self.has_lasting {
            true => Some(reader.last(index, top, bytes_of(channel)).await?),
            false => None,
        };
        self.cursor = top;
        if let Some(log) = channel.log() {
            let last = LastMessages::of(last);
            log.with(|log| last.replace_all(log, top.behind()));
        }
        Ok(())
    }

    /// Passes over an entry that can't be read: it is somebody else's, or of a later version.
    /// Returns whether some before it are no longer kept.
    pub(super) fn leave_out(&mut self, before: EntryId, id: EntryId, unsound: &Unsound) -> bool {
        rationed!(warn, "an entry of the backplane is left out: {unsound}");
        // It has taken the next number.
        if id.is_next_to(before) {
            return false;
        }
        self.missed_after = Some(before);
        // A node's has an index from 1 on. Others can have any id, which says nothing of what
        // was before; the term that begins then does.
        if id.index <= 1 {
            return false;
        }
        if let Some(channel) = &self.channel {
            // As in `skip`, which comes later.
            channel.doubt();
        }
        true
    }

    /// Whether an entry is of a term whose numbers come twice, so that it counts no more:
    /// somebody deleted the stream and wrote to it, and a node hadn't noticed yet.
    pub(super) fn is_spoiled(&mut self, before: EntryId, id: EntryId, body: &[u8]) -> bool {
        if id.index == 0 && entry::read(body).is_ok() {
            self.spoiled = Some(id.term);
        }
        let is_spoiled = self.spoiled == Some(id.term);
        if is_spoiled {
            self.missed_after = Some(before);
        }
        is_spoiled
    }

    /// Takes an entry that was there before this node: nobody has been here to get it.
    pub(super) fn load(&mut self, before: EntryId, id: EntryId, body: &[u8]) {
        let Some(log) = self.channel.as_ref().and_then(Channel::log) else { return };
        let number = id.number();
        match before == EntryId::default() || unread_before(before, id, body).is_some() {
            true => {
                let last = self.last.take();
                // Up to there, some may be lacking.
                let known_at = last.as_ref().map(|last| last.known_at);
                self.top.id = self.top.id.max(known_at.unwrap_or_default());
                let last = LastMessages::of(last);
                log.with(|log| last.replace_all(log, number));
            }
            false => log.with(|log| log.skip_to(number)),
        }
        match entry::read(body) {
            // The first of a term is a text.
            _ if id.index == 1 && entry::read_first_of_term(body).is_ok() => {}
            // As in `leave_out`.
            Err(_) if id.index <= 1 => self.missed_after = Some(before),
            Ok((origin, Found::Envelope(sealed))) => {
                let envelope = sealed.open();
                if let Some(entry) = envelope.as_ref().ok().and_then(Parcel::log_entry) {
                    log.with(|log| log.push(entry, sent_at(origin.sent_ms)));
                }
                if let Some(change) = envelope.as_ref().ok().and_then(Envelope::presence_change) {
                    log.with(|log| log.change_presence(change));
                }
            }
            Ok((_, Found::Lost { from })) => {
                self.lost = (id, from);
                log.with(|log| log.lack_before(id.behind()));
            }
            Ok((_, Found::Alive { .. } | Found::Tick { .. } | Found::Said(_))) | Err(_) => {}
        }
        log.with(|log| log.skip_to(id.behind()));
    }

    /// Ends loading: positions are of the current term, and of those before that are good.
    pub(super) async fn begin(&self, index: usize, terms: &[Term]) -> Result<(), SendError> {
        let (Some(channel), Some(current)) = (&self.channel, terms.last()) else { return Ok(()) };
        // What is lost of these is known to the log.
        let ended = terms.windows(2).filter_map(|pair| {
            let [term, next] = pair else { return None };
            Some((term.epoch, next.heads.get(index)?.behind()))
        });
        if let Some(log) = channel.log() {
            log.with(|log| log.set_epochs(current.epoch, ended.collect()));
        }
        tell(channel, Command::Epoch(current.epoch)).await
    }

    /// Goes on at a number, where entries since the one before are no longer kept. What this
    /// node has `announced` as lost may be among that.
    pub(super) async fn skip(
        &mut self,
        before: EntryId,
        number: u64,
        epoch: u64,
        announced: Option<u64>,
    ) -> Result<(), SendError> {
        let Some(channel) = &self.channel else { return Ok(()) };
        // Some of that may have been this node's.
        channel.doubt();
        if let Some(log) = channel.log() {
            let last = LastMessages::of(self.last.take());
            log.with(|log| {
                last.replace_all(log, number);
                if log.position().epoch != epoch {
                    log.set_epochs(epoch, Vec::new());
                }
            });
        }
        tracing::error!(
            path = channel.path(),
            "this node was away for longer than the backplane keeps messages; clients are told"
        );
        // The gap first: whoever hears of the epoch and is cut off then comes from there.
        let from = before.behind().min(announced.unwrap_or(u64::MAX));
        tell(channel, Command::Missing { from, why: Why::Carrier }).await?;
        tell(channel, Command::Epoch(epoch)).await
    }
}

/// The last messages of a stream, each with its number and when it was sent.
struct LastMessages(Vec<(u64, u32, Envelope)>);

impl LastMessages {
    fn of(last: Option<LastEntries>) -> LastMessages {
        let entries = last.map(|last| last.entries).unwrap_or_default();
        let open = |(id, body): &(EntryId, Vec<u8>)| match entry::read(body) {
            Ok((origin, Found::Envelope(sealed))) => {
                Some((id.number(), sent_at(origin.sent_ms), sealed.open().ok()?))
            }
            _ => None,
        };
        LastMessages(entries.iter().rev().filter_map(open).collect())
    }

    /// Has a log go on at a number, with nothing else of what was before.
    fn replace_all(&self, log: &mut Log<Audience>, number: u64) {
        let kept = self.0.iter().filter_map(|(number, sent, envelope)| {
            Some(Kept { number: *number, sent: *sent, entry: envelope.log_entry()? })
        });
        log.lose_all_but(kept, number);
    }
}

/// Returns the last entry between two that were read one after the other, if there was one.
fn unread_before(read: EntryId, id: EntryId, body: &[u8]) -> Option<EntryId> {
    let before = match id.index {
        // Somebody else's, before which nothing is.
        0 => return None,
        1 => entry::read_first_of_term(body).ok()?.1,
        index => EntryId { index: index - 1, ..id },
    };
    (read < before).then_some(before)
}

/// Returns what the log of a channel may take.
fn bytes_of(channel: &Channel<Envelope>) -> usize {
    channel.log().map_or(0, |log| log.with(|log| log.bounds().bytes))
}

/// Tells the clients of a channel something, in its order.
pub(super) async fn tell(channel: &Channel<Envelope>, command: Command) -> Result<(), SendError> {
    let permit = channel.reserve_for_theirs().await?;
    permit.send(Envelope::Command(Arc::new(command))).map(drop)
}

/// Returns the second in which something was sent, by the clock of whoever sent it.
pub(super) fn sent_at(milliseconds: u64) -> u32 {
    let age = unix_ms().saturating_sub(milliseconds) / 1000;
    seconds().saturating_sub(age.try_into().unwrap_or(u32::MAX))
}

pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}
