//! One sequence, and the connection that holds it.

use std::mem;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::SequenceId;

/// The numbered messages of one client.
#[derive(Debug)]
pub(crate) struct Sequence {
    state: Mutex<State>,
    /// Notified when a message is handled.
    pub(super) handled: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    /// The connection that holds it.
    pub(super) holder: Option<Holder>,
    /// The number of the last message that came by this connection; absent if none did,
    /// and nothing is known of those before.
    received: Option<u64>,
    pub(super) handling: Option<Handling>,
    /// The number of the last message that is handled.
    pub(super) heard: u64,
    /// That of one of which nobody knows whether it is.
    pub(super) doubtful: Option<u64>,
    /// Up to which number this connection was told so.
    acknowledged: u64,
    /// Present if another process has it: what that one was told.
    pub(super) given: Option<Heard>,
    /// The second in which it is forgotten, while it has no connection.
    pub(super) until: Option<u32>,
}

/// A message that is being handled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handling {
    pub(super) number: u64,
    /// The process that has it, if that isn't this one: it tells when it is handled.
    pub(super) elsewhere: Option<ProcessId>,
}

/// Names another process among those that sequences come from.
pub(super) type ProcessId = u64;

pub(super) type Holder = NonZero<u64>;

/// A connection's hold on the sequence of its client. To be [left](Sequences::leave).
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) id: SequenceId,
    pub(super) holder: Holder,
    /// Absent before its first message, unless it was claimed.
    pub(super) sequence: Option<Arc<Sequence>>,
    /// For how many seconds it is kept without a connection.
    pub(super) kept_seconds: u32,
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

/// How far the messages of a sequence are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The number of the last one that is.
    pub(crate) number: u64,
    /// That of one that is being handled, and isn't handled again.
    pub(crate) handling: Option<u64>,
}

/// A message that is being handled, until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'sequence> {
    sequence: &'sequence Sequence,
    number: u64,
    /// Whether its handler was begun by a process that is gone.
    pub(crate) may_be_repeated: bool,
}

impl Sequence {
    pub(super) fn new(holder: Option<Holder>) -> Arc<Sequence> {
        let state = State {
            holder,
            received: None,
            handling: None,
            heard: 0,
            doubtful: None,
            acknowledged: 0,
            given: None,
            until: None,
        };
        Arc::new(Sequence { state: Mutex::new(state), handled: Notify::new() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic midway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the place of a message that came by this connection.
    pub(super) fn receive(&self, holder: Holder, number: u64) -> Place {
        let mut state = self.state();
        if state.holder != Some(holder) {
            return Place::Elsewhere;
        }
        let Some(received) = state.received else {
            // Its client may have told others to a server that forgot them.
            let before = number - 1;
            (state.received, state.heard, state.acknowledged) = (Some(number), before, before);
            return Place::Next;
        };
        if number <= received {
            // What its client was told is told again.
            state.acknowledged = state.acknowledged.min(number - 1);
            Place::Again
        } else if number == received + 1 {
            state.received = Some(number);
            Place::Next
        } else {
            Place::Beyond
        }
    }

    /// Waits until no message is being handled.
    pub(super) async fn is_free(&self) {
        loop {
            let handled = self.handled.notified();
            if self.state().handling.is_none() {
                return;
            }
            handled.await;
        }
    }

    /// Begins behind what is handled, with the messages of a new holder.
    pub(super) fn go_on(&self) -> Heard {
        let mut state = self.state();
        let number = state.heard;
        state.received = state.received.map(|_| number);
        state.acknowledged = number;
        state.told()
    }

    /// Returns how far it is handled, unless another process knows.
    pub(super) fn left(&self) -> Option<Heard> {
        let mut state = self.state();
        let heard = state.told();
        match &mut state.given {
            Some(given) => (mem::replace(given, heard) != heard).then_some(heard),
            None => Some(heard),
        }
    }

    /// Gives it to another process; returns what that is told, and the message of which
    /// nobody knows whether it is handled. `None` if another process has it already.
    pub(super) fn give(&self) -> Option<(Heard, Option<u64>)> {
        let mut state = self.state();
        if state.given.is_some() {
            return None;
        }
        let heard = state.told();
        (state.holder, state.given) = (None, Some(heard));
        Some((heard, state.doubtful))
    }

    /// Goes on where another process was.
    pub(super) fn take(&self, heard: Heard, doubtful: Option<u64>, from: ProcessId) {
        let mut state = self.state();
        // What others wait for this process to tell, since it was given.
        let awaited = state.given.take().and_then(|given| given.handling);
        let Heard { number, handling } = heard;
        state.heard = state.heard.max(number);
        let number = state.heard;
        let is_begun = number > 0 || handling.is_some();
        state.received = is_begun.then_some(number);
        state.acknowledged = number;
        state.doubtful = doubtful.or(state.doubtful).filter(|doubtful| *doubtful > number);
        // What was being handled here when it was given is known here best: that process
        // waits for it, too, or has yet to read what became of it.
        state.handling.take_if(|it| it.elsewhere.is_some() && it.number <= number);
        if state.handling.is_none() {
            let handling = handling.filter(|it| *it > number && awaited != Some(*it));
            state.handling = handling.map(|number| Handling { number, elsewhere: Some(from) });
        }
        drop(state);
        self.handled.notify_waiters();
    }

    /// Notes how far another process has handled what it was handling; `None` if it is
    /// gone.
    pub(super) fn ends_elsewhere(
        &self,
        is_it: impl FnOnce(&Handling, ProcessId) -> bool,
        heard: Option<u64>,
    ) {
        let mut state = self.state();
        let is_it = |it: &mut Handling| it.elsewhere.is_some_and(|process| is_it(it, process));
        let Some(Handling { number, .. }) = state.handling.take_if(is_it) else { return };
        match heard {
            Some(heard) => state.heard = state.heard.max(heard),
            None => state.doubtful = Some(number),
        }
        drop(state);
        self.handled.notify_waiters();
    }

    /// Returns whether this connection held it, and does no more.
    pub(super) fn let_go(&self, holder: Holder) -> bool {
        self.state().holder.take_if(|it| *it == holder).is_some()
    }
}

impl State {
    /// Returns how far it is handled.
    fn told(&self) -> Heard {
        let handling = self.handling.map(|it| it.number);
        Heard { number: self.heard, handling: handling.filter(|number| *number > self.heard) }
    }
}

impl Hold {
    /// Begins to handle a message, as soon as none before is being handled; `None` if it
    /// is handled then, the one before was [given up](Turn::give_up), or another
    /// connection holds the sequence. Cancel safe.
    pub(crate) async fn handle(&self, number: u64) -> Option<Turn<'_>> {
        let sequence = self.sequence.as_ref()?;
        loop {
            sequence.is_free().await;
            let mut state = sequence.state();
            if state.holder != Some(self.holder) || number != state.heard + 1 {
                return None;
            }
            // Another connection may have been quicker, which has lost it since.
            if state.handling.is_none() {
                state.handling = Some(Handling { number, elsewhere: None });
                let may_be_repeated = state.doubtful == Some(number);
                return Some(Turn { sequence, number, may_be_repeated });
            }
        }
    }

    /// Whether another connection has claimed the sequence, or another process has it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        let sequence = self.sequence.as_ref();
        sequence.is_some_and(|sequence| sequence.state().holder != Some(self.holder))
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

impl Turn<'_> {
    /// Leaves the message to another process, to which its client sends it again.
    pub(crate) fn give_up(mut self) {
        self.number -= 1;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.sequence.state();
        // Whoever had given this process up may have gone on meanwhile.
        (state.handling, state.heard) = (None, state.heard.max(self.number));
        drop(state);
        self.sequence.handled.notify_waiters();
    }
}
