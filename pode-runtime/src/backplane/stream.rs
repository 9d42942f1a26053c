//! A stream of the carrier, and what is in the channel and the log of this node of it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pode_core::SendError;
use pode_core::hub::{Channel, Parcel};

use super::carrier::{EntryId, Term, Top};
use super::entry::{self, Found};
use crate::base::seconds::seconds;
use crate::push::engine::{Command, Envelope, Why};

/// A stream of the carrier, as this node has read it.
pub(super) struct Stream {
    /// Absent for that of the nodes.
    pub(super) channel: Option<Channel<Envelope>>,
    pub(super) cursor: EntryId,
    /// What there was at the start: up to there it goes into the log alone.
    pub(super) top: Top,
    pub(super) is_loaded: bool,
    /// Where it was last said that messages before that term are lost, from which number
    /// on.
    pub(super) lost: (EntryId, u64),
}

impl Stream {
    /// Takes an entry that was there before this node: nobody has been here to get it.
    pub(super) fn load(&mut self, before: EntryId, id: EntryId, body: &[u8]) {
        let Some(log) = self.channel.as_ref().and_then(Channel::log) else { return };
        let number = id.number();
        log.with(|log| match before == EntryId::default() {
            true => log.lose_to(number),
            false => log.skip_to(number),
        });
        match entry::read(body) {
            // The first of a term is a text.
            _ if id.index == 1 => {}
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
        &self,
        before: EntryId,
        number: u64,
        epoch: u64,
        announced: Option<u64>,
    ) -> Result<(), SendError> {
        let Some(channel) = &self.channel else { return Ok(()) };
        // Some of that may have been this node's.
        channel.doubt();
        if let Some(log) = channel.log() {
            log.with(|log| {
                log.lose_to(number);
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
