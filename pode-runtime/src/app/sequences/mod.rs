//! Sequences: the numbered messages of one client, over all its connections.
//!
//! They are handled in order, so one number says all: up to which they are handled.
//! One connection at a time holds a sequence, and none before: what came by those is
//! handled no more. Only a message whose handler has begun is: whoever has claimed the
//! sequence meanwhile is told of it, and what comes next waits for it.
//!
//! One process at a time has it, too: this one asks elsewhere for what isn't here, and
//! gives what others ask for.
//!
//! Here is which there are, and who has them; a `sequence` knows its messages, and `nodes`
//! is what more processes than two need.

#[cfg(feature = "redis")]
mod nodes;
mod sequence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(crate) use self::sequence::{Heard, Hold, Place};
use self::sequence::{Holder, ProcessId, Sequence};
use crate::base::seconds::seconds;
use crate::push::engine::random_epoch;

/// The other process of a hand-over.
const LINKED: ProcessId = 0;

/// How long a claim waits for the answer of another process.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a sequence is kept without a connection at least, in seconds.
const MIN_KEPT_SECONDS: u32 = 120;

/// How many sequences without a connection are kept: some 12 MiB.
const MAX_LEFT: usize = 1 << 16;

/// Names a sequence; the default is none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(crate) struct SequenceId {
    /// Names the process in which it began.
    process: u64,
    /// That of the connection with which it began.
    number: u64,
}

impl SequenceId {
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> SequenceId {
        let number = u128::from_be_bytes(bytes);
        SequenceId { process: (number >> 64) as u64, number: number as u64 }
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        (u128::from(self.process) << 64 | u128::from(self.number)).to_be_bytes()
    }
}

/// The sequences of a server that began with a message or a claim.
#[derive(Debug)]
pub(crate) struct Sequences {
    known: Mutex<Known>,
    /// How many connections have come.
    holders: AtomicU64,
}

impl Default for Sequences {
    fn default() -> Sequences {
        let known = Known { process: random_epoch(), ..Known::default() };
        Sequences { known: Mutex::new(known), holders: AtomicU64::new(0) }
    }
}

#[derive(Debug, Default)]
struct Known {
    /// Names this process.
    process: u64,
    by_id: HashMap<SequenceId, Arc<Sequence>>,
    /// Those without a connection, with the second in which they are forgotten.
    left: BTreeSet<(u32, SequenceId)>,
    /// The highest number of those that began here and are forgotten: whatever began
    /// later and isn't there has had no message.
    forgotten_to: u64,
    /// Takes the names of those that another process may have.
    elsewhere: Option<mpsc::UnboundedSender<SequenceId>>,
    /// Whether those processes are the nodes of a backplane.
    is_carried: bool,
    /// Those who wait until it has answered.
    asked: HashMap<SequenceId, Vec<oneshot::Sender<Claimed>>>,
}

/// What somebody who has waited gets. Until that one is there, the sequence is kept as
/// those without a connection.
#[derive(Debug)]
struct Claimed {
    holder: Holder,
    sequence: Arc<Sequence>,
    heard: Heard,
}

/// A sequence without a connection.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    pub(crate) id: SequenceId,
    pub(crate) heard: Heard,
    /// The number of a message of which nobody knows whether it is handled.
    #[serde(default)]
    pub(crate) doubtful: Option<u64>,
    /// For how many seconds it is still kept.
    pub(crate) seconds: u32,
}

impl Sequences {
    fn known(&self) -> MutexGuard<'_, Known> {
        // No code that holds the lock can panic midway.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new sequence, which is kept for so many seconds without a connection,
    /// and for two minutes at least.
    pub(crate) fn begin(&self, kept_seconds: u32) -> Hold {
        let holder = self.next_holder();
        let id = SequenceId { process: self.known().process, number: holder.get() };
        Hold { id, holder, sequence: None, kept_seconds }
    }

    fn next_holder(&self) -> Holder {
        let before = self.holders.fetch_add(1, Ordering::Relaxed);
        NonZero::new(before + 1).expect("not so many connections come")
    }

    /// Claims a sequence from whoever holds it; returns how far it is handled, too.
    ///
    /// `None` if it isn't known, or if another process has it, or doesn't say in five
    /// seconds whether it has. Cancel safe.
    pub(crate) async fn claim(&self, id: SequenceId, kept_seconds: u32) -> Option<(Hold, Heard)> {
        if let Some(answer) = self.ask_for(id)
            && let Ok(Ok(claimed)) = timeout(FETCH_TIMEOUT, answer).await
        {
            return Some(self.hold(id, claimed, kept_seconds));
        }
        self.claim_here(id, kept_seconds)
    }

    /// Asks for a sequence that isn't here where it may be. No answer comes if nobody has
    /// it, or whoever has it goes meanwhile.
    fn ask_for(&self, id: SequenceId) -> Option<oneshot::Receiver<Claimed>> {
        let mut known = self.known();
        known.forget(seconds());
        if known.has(id) || known.elsewhere.as_ref()?.send(id).is_err() {
            return None;
        }
        let (answer, claimed) = oneshot::channel();
        let waiting = known.asked.entry(id).or_default();
        waiting.retain(|waiting| !waiting.is_closed());
        waiting.push(answer);
        Some(claimed)
    }

    fn hold(&self, id: SequenceId, claimed: Claimed, kept_seconds: u32) -> (Hold, Heard) {
        let Claimed { holder, sequence, heard } = claimed;
        let mut known = self.known();
        // Or others have claimed it since.
        let is_held = sequence.state().holder == Some(holder);
        if is_held {
            known.keep(id, &sequence);
        }
        (Hold { id, holder, sequence: Some(sequence), kept_seconds }, heard)
    }

    fn claim_here(&self, id: SequenceId, kept_seconds: u32) -> Option<(Hold, Heard)> {
        let holder = self.next_holder();
        let sequence = self.known().claim(id, holder)?;
        let heard = sequence.go_on();
        Some((Hold { id, holder, sequence: Some(sequence), kept_seconds }, heard))
    }

    /// Gives a sequence to another process: what comes for it here is handled no more.
    pub(crate) fn give(&self, id: SequenceId) -> Option<Left> {
        let mut known = self.known();
        known.forget(seconds());
        if !known.has(id) {
            return None;
        }
        let sequence = known.enter(id, None);
        known.keep(id, &sequence);
        let given = sequence.give();
        // It stays for a while: its connection may still send.
        known.forget_later(id, 0);
        let (heard, doubtful) = given?;
        Some(Left { id, heard, doubtful, seconds: 0 })
    }

    /// Waits until what was being handled of a sequence is, when it was given; `None` if
    /// nothing was.
    pub(crate) async fn finish(&self, id: SequenceId) -> Option<Left> {
        let sequence = Arc::clone(self.known().by_id.get(&id)?);
        sequence.is_free().await;
        Some(Left { id, heard: sequence.left()?, doubtful: None, seconds: 0 })
    }

    /// Takes a sequence from the other process of a hand-over, unless it is here already;
    /// then that one may have finished what it was handling.
    pub(crate) fn take(&self, left: Left) {
        let (id, heard) = (left.id, left.heard.number);
        if !self.take_from(LINKED, left)
            && let Some(sequence) = self.known().by_id.get(&id)
        {
            sequence.ends_elsewhere(|_, process| process == LINKED, Some(heard));
        }
    }

    /// Takes a sequence from another process, unless it is here already; returns whether
    /// it isn't. Whoever waits for it has it before anybody else may claim it.
    pub(crate) fn take_from(&self, process: ProcessId, left: Left) -> bool {
        let Left { id, heard, doubtful, seconds } = left;
        let mut known = self.known();
        let waiting = known.asked.remove(&id).unwrap_or_default();
        let before = known.by_id.get(&id);
        if before.is_some_and(|sequence| sequence.state().given.is_none()) {
            return false;
        }
        let sequence = known.enter(id, None);
        sequence.take(heard, doubtful, process);
        known.keep(id, &sequence);
        known.forget_later(id, seconds);
        for answer in waiting.into_iter().filter(|answer| !answer.is_closed()) {
            let (holder, sequence) = (self.next_holder(), Arc::clone(&sequence));
            sequence.state().holder = Some(holder);
            let heard = sequence.go_on();
            // Or it has just stopped waiting.
            let _ = answer.send(Claimed { holder, sequence, heard });
        }
        true
    }

    /// Notes that another process is gone, and with it what it was handling.
    pub(crate) fn lost(&self, process: ProcessId) {
        let known = self.known();
        let lost = |it: &Arc<Sequence>| it.ends_elsewhere(|_, has| has == process, None);
        known.by_id.values().for_each(lost);
    }

    /// Notes that no other process has a sequence.
    pub(crate) fn miss(&self, id: SequenceId) {
        self.known().asked.remove(&id);
    }

    /// Returns all sequences without a connection, and those that are given and not
    /// finished; none where the nodes of a backplane give them to each other.
    pub(crate) fn left(&self) -> Vec<Left> {
        let (now, known) = (seconds(), self.known());
        let left = known.left.iter().filter(|(until, _)| *until > now && !known.is_carried);
        let left = left.filter_map(|(until, id)| {
            let sequence = known.by_id.get(id)?;
            let (heard, doubtful) = (sequence.left()?, sequence.state().doubtful);
            Some(Left { id: *id, heard, doubtful, seconds: until - now })
        });
        left.collect()
    }

    /// Has the other process of a hand-over asked for sequences that aren't here, or no
    /// longer; unless it is a node of the same backplane.
    pub(crate) fn ask(&self, elsewhere: Option<mpsc::UnboundedSender<SequenceId>>) {
        let mut known = self.known();
        if known.is_carried {
            return;
        }
        known.elsewhere = elsewhere;
        known.asked.clear();
        let is_alone = known.elsewhere.is_none();
        drop(known);
        if is_alone {
            self.lost(LINKED);
        }
    }

    /// Ends a connection's hold.
    pub(crate) fn leave(&self, hold: &Hold) {
        let mut known = self.known();
        if hold.sequence.as_ref().is_some_and(|sequence| sequence.let_go(hold.holder)) {
            known.forget_later(hold.id, hold.kept_seconds);
        }
    }

    /// Finds the place of a message that came by a connection. Numbers are at least 1,
    /// and below 2⁵³. Its sequence begins with it, unless somebody has claimed that.
    pub(crate) fn receive(&self, hold: &mut Hold, number: u64) -> Place {
        let Hold { id, holder, sequence, .. } = hold;
        let sequence = sequence.get_or_insert_with(|| self.known().enter(*id, Some(*holder)));
        sequence.receive(*holder, number)
    }
}

impl Known {
    /// Returns the sequence of a connection, which begins now if it isn't there.
    fn enter(&mut self, id: SequenceId, holder: Option<Holder>) -> Arc<Sequence> {
        Arc::clone(self.by_id.entry(id).or_insert_with(|| Sequence::new(holder)))
    }

    /// Whether a sequence is known here: it may be one that had no message yet.
    fn has(&self, id: SequenceId) -> bool {
        match self.by_id.get(&id) {
            Some(sequence) => sequence.state().given.is_none(),
            None => id.process == self.process && id.number > self.forgotten_to,
        }
    }

    /// Returns a sequence for its new holder; `None` if it isn't known, or another
    /// process has it.
    fn claim(&mut self, id: SequenceId, holder: Holder) -> Option<Arc<Sequence>> {
        self.forget(seconds());
        if !self.has(id) {
            return None;
        }
        let sequence = self.enter(id, None);
        sequence.state().holder = Some(holder);
        self.keep(id, &sequence);
        Some(sequence)
    }

    /// Keeps a sequence until it is [to be forgotten](Self::forget_later).
    fn keep(&mut self, id: SequenceId, sequence: &Sequence) {
        if let Some(until) = sequence.state().until.take() {
            self.left.remove(&(until, id));
        }
    }

    fn forget_later(&mut self, id: SequenceId, kept_seconds: u32) {
        let Some(sequence) = self.by_id.get(&id) else { return };
        let now = seconds();
        let until = now.saturating_add(kept_seconds.max(MIN_KEPT_SECONDS));
        sequence.state().until = Some(until);
        self.left.insert((until, id));
        self.forget(now);
    }

    /// Forgets those whose time is over, and the next ones if there are too many.
    fn forget(&mut self, now: u32) {
        while let Some(&(until, id)) = self.left.first()
            && (until <= now || self.left.len() > MAX_LEFT)
        {
            self.left.pop_first();
            self.by_id.remove(&id);
            if id.process == self.process {
                self.forgotten_to = self.forgotten_to.max(id.number);
            }
        }
        if self.by_id.len() < self.by_id.capacity() / 4 {
            self.by_id.shrink_to_fit();
        }
    }
}
