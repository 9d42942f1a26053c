//! Sequences: the numbered messages of one client, over all its connections.
//!
//! They are handled in order, so one number says all: up to which they are handled.
//! One connection at a time holds a sequence. Whoever claims it gets it when no message
//! of it is being handled any more, and nothing that came by an earlier connection is
//! handled then.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use crate::base::seconds::seconds;
use crate::push::engine::random_epoch;

/// How long a claim waits for the message that is being handled.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// Those who wait until it has answered.
    asked: HashMap<SequenceId, Vec<oneshot::Sender<()>>>,
}

/// A sequence without a connection.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    pub(crate) id: SequenceId,
    /// The number of its last message that is handled.
    pub(crate) heard: u64,
    /// For how many seconds it is still kept.
    pub(crate) seconds: u32,
}

/// The numbered messages of one client.
#[derive(Debug)]
pub(crate) struct Sequence {
    state: Mutex<State>,
    /// Notified when a message is handled.
    handled: Notify,
}

#[derive(Debug)]
struct State {
    /// The connection that holds it.
    holder: Option<Holder>,
    /// The number of the last message that came by this connection; 0 if none did, and
    /// nothing is known of those before.
    received: u64,
    is_handling: bool,
    /// The number of the last message that is handled.
    heard: u64,
    /// Up to which number this connection was told so.
    acknowledged: u64,
    /// Whether another process has it.
    is_given: bool,
    /// The second in which it is forgotten, while it has no connection.
    until: Option<u32>,
}

type Holder = NonZero<u64>;

/// A connection's hold on the sequence of its client. To be [left](Sequences::leave).
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) id: SequenceId,
    holder: Holder,
    /// Absent before its first message, unless it was claimed.
    sequence: Option<Arc<Sequence>>,
    /// For how many seconds it is kept without a connection.
    kept_seconds: u32,
}

/// What becomes of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the next one.
    Next,
    /// It came before.
    Again,
    /// Others should have come before.
    Beyond,
    /// Another connection holds the sequence.
    Elsewhere,
}

/// A message that is being handled, until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'sequence> {
    sequence: &'sequence Sequence,
    number: u64,
}

/// A claim that may be dropped before it is done.
struct Claim<'sequences> {
    sequences: &'sequences Sequences,
    hold: Option<Hold>,
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

    /// Claims a sequence from whoever holds it; returns the number of its last message
    /// that is handled, too.
    ///
    /// `None` if it isn't known, if a message of it is still being handled after five
    /// seconds, or if another process has it, or doesn't say in that time whether it
    /// has. Cancel safe.
    pub(crate) async fn claim(&self, id: SequenceId, kept_seconds: u32) -> Option<(Hold, u64)> {
        let claimed = timeout(CLAIM_TIMEOUT, async {
            self.fetch(id).await;
            self.claim_here(id, kept_seconds).await
        });
        claimed.await.ok().flatten()
    }

    /// Takes a sequence that isn't here from where it may be.
    async fn fetch(&self, id: SequenceId) {
        let taken = {
            let mut known = self.known();
            let Some(elsewhere) = &known.elsewhere else { return };
            if known.by_id.contains_key(&id) || elsewhere.send(id).is_err() {
                return;
            }
            let (answer, taken) = oneshot::channel();
            known.asked.entry(id).or_default().push(answer);
            taken
        };
        // It may not have it, or go meanwhile.
        let _ = taken.await;
    }

    async fn claim_here(&self, id: SequenceId, kept_seconds: u32) -> Option<(Hold, u64)> {
        let holder = self.next_holder();
        let sequence = self.known().claim(id, holder)?;
        let hold = Hold { id, holder, sequence: Some(Arc::clone(&sequence)), kept_seconds };
        let mut claim = Claim { sequences: self, hold: Some(hold) };
        let heard = sequence.is_free().await;
        Some((claim.hold.take()?, heard))
    }

    /// Gives a sequence to another process: what comes for it here is handled no more.
    /// `None` if one is still being handled after five seconds.
    pub(crate) async fn give(&self, id: SequenceId) -> Option<Left> {
        let claimed = timeout(CLAIM_TIMEOUT, self.claim_here(id, 0)).await;
        let (hold, heard) = claimed.ok().flatten()?;
        if let Some(sequence) = &hold.sequence {
            sequence.state().is_given = true;
        }
        // It stays for a while: its connection may still send.
        self.leave(&hold);
        Some(Left { id, heard, seconds: 0 })
    }

    /// Takes a sequence from another process, unless it is here already.
    pub(crate) fn take(&self, left: Left) {
        let Left { id, heard, seconds } = left;
        let mut known = self.known();
        known.asked.remove(&id);
        if let Entry::Vacant(free) = known.by_id.entry(id) {
            free.insert(Sequence::new(None, heard));
            known.forget_later(id, seconds);
        }
    }

    /// Notes that another process doesn't have a sequence.
    pub(crate) fn miss(&self, id: SequenceId) {
        self.known().asked.remove(&id);
    }

    /// Returns all sequences without a connection.
    pub(crate) fn left(&self) -> Vec<Left> {
        let (now, known) = (seconds(), self.known());
        let left = known.left.iter().filter(|(until, _)| *until > now);
        let left = left.filter_map(|(until, id)| {
            let state = known.by_id.get(id)?.state();
            let left = Left { id: *id, heard: state.heard, seconds: until - now };
            (!state.is_given).then_some(left)
        });
        left.collect()
    }

    /// Has another process asked for sequences that aren't here, or no longer.
    pub(crate) fn ask(&self, elsewhere: Option<mpsc::UnboundedSender<SequenceId>>) {
        let mut known = self.known();
        known.elsewhere = elsewhere;
        known.asked.clear();
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
        let sequence = sequence.get_or_insert_with(|| self.known().enter(*id, *holder));
        let mut state = sequence.state();
        if state.holder != Some(*holder) {
            return Place::Elsewhere;
        }
        if state.received == 0 {
            // Its client may have told others to a server that forgot them.
            let before = number - 1;
            (state.received, state.heard, state.acknowledged) = (number, before, before);
            Place::Next
        } else if number <= state.received {
            // What its client was told is told again.
            state.acknowledged = state.acknowledged.min(number - 1);
            Place::Again
        } else if number == state.received + 1 {
            state.received = number;
            Place::Next
        } else {
            Place::Beyond
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(hold) = &self.hold {
            self.sequences.leave(hold);
        }
    }
}

impl Known {
    /// Returns the sequence of a connection, which begins now if it isn't there.
    fn enter(&mut self, id: SequenceId, holder: Holder) -> Arc<Sequence> {
        Arc::clone(self.by_id.entry(id).or_insert_with(|| Sequence::new(Some(holder), 0)))
    }

    /// Returns a sequence for its new holder; `None` if it isn't known, or another
    /// process has it.
    fn claim(&mut self, id: SequenceId, holder: Holder) -> Option<Arc<Sequence>> {
        self.forget(seconds());
        let is_new = id.process == self.process && id.number > self.forgotten_to;
        if !is_new && !self.by_id.contains_key(&id) {
            return None;
        }
        let sequence = self.enter(id, holder);
        let mut state = sequence.state();
        if state.is_given {
            return None;
        }
        state.holder = Some(holder);
        if let Some(until) = state.until.take() {
            self.left.remove(&(until, id));
        }
        drop(state);
        Some(sequence)
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

impl Sequence {
    fn new(holder: Option<Holder>, heard: u64) -> Arc<Sequence> {
        let state = State {
            holder,
            received: heard,
            is_handling: false,
            heard,
            acknowledged: heard,
            is_given: false,
            until: None,
        };
        Arc::new(Sequence { state: Mutex::new(state), handled: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic midway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no message is being handled, and begins there with those of the new
    /// holder; returns the number of the last one.
    async fn is_free(&self) -> u64 {
        loop {
            let handled = self.handled.notified();
            {
                let mut state = self.state();
                if !state.is_handling {
                    (state.received, state.acknowledged) = (state.heard, state.heard);
                    return state.heard;
                }
            }
            handled.await;
        }
    }

    /// Returns whether this connection held it, and does no more.
    fn let_go(&self, holder: Holder) -> bool {
        self.state().holder.take_if(|it| *it == holder).is_some()
    }
}

impl Hold {
    /// Begins to handle a message; `None` if another connection holds the sequence.
    pub(crate) fn handle(&self, number: u64) -> Option<Turn<'_>> {
        let sequence = self.sequence.as_ref()?;
        let mut state = sequence.state();
        if state.holder != Some(self.holder) {
            return None;
        }
        state.is_handling = true;
        Some(Turn { sequence, number })
    }

    /// Returns up to which number messages are handled, unless the client was told so.
    pub(crate) fn handled(&self) -> Option<u64> {
        let state = self.sequence.as_ref()?.state();
        (state.holder == Some(self.holder) && state.heard > state.acknowledged)
            .then_some(state.heard)
    }

    /// Notes that the client is told so; returns whether that is news.
    pub(crate) fn acknowledge(&self, number: u64) -> bool {
        let Some(sequence) = &self.sequence else { return false };
        let mut state = sequence.state();
        let is_news = number > state.acknowledged;
        state.acknowledged = state.acknowledged.max(number);
        is_news
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.sequence.state();
        (state.is_handling, state.heard) = (false, self.number);
        drop(state);
        self.sequence.handled.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance};

    use super::*;

    /// Has a message of a sequence handled, which is then left.
    fn handle_one(sequences: &Sequences) -> SequenceId {
        let mut hold = sequences.begin(0);
        assert_eq!(sequences.receive(&mut hold, 1), Place::Next);
        drop(hold.handle(1).unwrap());
        sequences.leave(&hold);
        hold.id
    }

    #[tokio::test(start_paused = true)]
    async fn a_sequence_is_kept_for_its_time() {
        let sequences = Sequences::default();
        let (short, longer) = (handle_one(&sequences), {
            let mut hold = sequences.begin(600);
            assert_eq!(sequences.receive(&mut hold, 1), Place::Next);
            drop(hold.handle(1).unwrap());
            sequences.leave(&hold);
            hold.id
        });
        advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) - 2)).await;
        let (hold, heard) = sequences.claim(short, 0).await.unwrap();
        assert_eq!(heard, 1);
        sequences.leave(&hold);
        // From then on, it is kept as long again.
        advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) - 2)).await;
        assert!(sequences.claim(short, 0).await.is_some());
        advance(Duration::from_secs(300)).await;
        assert!(sequences.claim(longer, 0).await.is_some());
        // It has a connection, however long that lasts.
        advance(Duration::from_secs(100_000)).await;
        assert_eq!(sequences.claim(short, 0).await.unwrap().1, 1);

        let left = handle_one(&sequences);
        advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) + 1)).await;
        assert!(sequences.claim(left, 0).await.is_none(), "it is forgotten");
        // One that began later and has had no message yet isn't.
        let hold = sequences.begin(0);
        assert_eq!(sequences.claim(hold.id, 0).await.unwrap().1, 0);
        // Of another process, nothing is known.
        let foreign = Sequences::default().begin(0).id;
        assert!(sequences.claim(foreign, 0).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn sequences_without_end_take_no_memory_without_end() {
        let sequences = Sequences::default();
        let first = handle_one(&sequences);
        for _ in 0..MAX_LEFT + 10 {
            handle_one(&sequences);
        }
        {
            let known = sequences.known();
            assert_eq!((known.left.len(), known.by_id.len()), (MAX_LEFT, MAX_LEFT));
        }
        assert!(sequences.claim(first, 0).await.is_none());
        advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) + 1)).await;
        handle_one(&sequences);
        let known = sequences.known();
        assert_eq!(known.by_id.len(), 1);
        assert!(known.by_id.capacity() < 100, "{}", known.by_id.capacity());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_handler_waits_for_five_seconds() {
        let sequences = Sequences::default();
        let mut hold = sequences.begin(0);
        sequences.receive(&mut hold, 1);
        let turn = hold.handle(1).unwrap();
        let began = Instant::now();
        assert!(sequences.claim(hold.id, 0).await.is_none());
        assert_eq!(began.elapsed(), CLAIM_TIMEOUT);
        drop(turn);
        // Nobody has it meanwhile, and it is known as ever.
        assert_eq!(sequences.receive(&mut hold, 2), Place::Elsewhere);
        assert_eq!(sequences.claim(hold.id, 0).await.unwrap().1, 1);

        // A process that says nothing is waited for as long.
        let (asks, _asked) = mpsc::unbounded_channel();
        sequences.ask(Some(asks));
        let foreign = Sequences::default().begin(0).id;
        let began = Instant::now();
        assert!(sequences.claim(foreign, 0).await.is_none());
        assert_eq!(began.elapsed(), CLAIM_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_process_has_is_handled_here_no_more() {
        let (older, newer) = (Sequences::default(), Sequences::default());
        let mut hold = older.begin(0);
        older.receive(&mut hold, 1);
        drop(hold.handle(1).unwrap());
        let left = older.give(hold.id).await.unwrap();
        assert_eq!(older.receive(&mut hold, 2), Place::Elsewhere);
        assert!(older.claim(hold.id, 0).await.is_none(), "also if that one dies");
        assert_eq!(older.left(), []);
        newer.take(left);
        let (mut hold, heard) = newer.claim(hold.id, 0).await.unwrap();
        assert_eq!((heard, newer.receive(&mut hold, 2)), (1, Place::Next));
        // What is told late changes nothing.
        newer.take(Left { id: hold.id, heard: 0, seconds: 9 });
        assert_eq!(newer.receive(&mut hold, 3), Place::Next);
    }
}
