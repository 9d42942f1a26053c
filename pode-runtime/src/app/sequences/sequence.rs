//! One sequence, and the connection that holds it.

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::SequenceId;

/// The numbered messages of one client.
#[derive(Debug)]
pub(crate) struct Sequence {
    state: Mutex<State>,
    /// Notified when a message is handled.
    handled: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    /// The connection that holds it.
    pub(super) holder: Option<Holder>,
    /// The number of the last message that came by this connection; 0 if none did, and
    /// nothing is known of those before.
    received: u64,
    is_handling: bool,
    /// The number of the last message that is handled.
    pub(super) heard: u64,
    /// Up to which number this connection was told so.
    acknowledged: u64,
    /// Whether another process has it.
    pub(super) is_given: bool,
    /// The second in which it is forgotten, while it has no connection.
    pub(super) until: Option<u32>,
}

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

/// A message that is being handled, until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'sequence> {
    sequence: &'sequence Sequence,
    number: u64,
}

impl Sequence {
    pub(super) fn new(holder: Option<Holder>, heard: u64) -> Arc<Sequence> {
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

    /// Waits until no message is being handled, and begins there with those of the new
    /// holder; returns the number of the last one.
    pub(super) async fn is_free(&self) -> u64 {
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
    pub(super) fn let_go(&self, holder: Holder) -> bool {
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
