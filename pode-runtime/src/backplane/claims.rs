//! Numbered messages of clients that move between nodes.
//!
//! A node asks all others for the sequence of a client that it doesn't have, in the stream
//! of the nodes. Whoever has it gives it, in the same stream: from there on the asker has
//! it, and nobody else. So all nodes see the same order of claims, and of what is given.
//!
//! Each entry has a number, by which what arrives twice is known, and stays here until it
//! is back.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::future::pending;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};

use super::beats::{MOST_SILENT_BEATS, OwnBeats};
use crate::app::sequences::{Left, SequenceId, Sequences};

/// After so many beats nothing is known of a node any more: some hours.
const MOST_KNOWN_BEATS: u32 = 4096;

/// How many names an entry has at most.
const MAX_NAMES: usize = 512;

/// How many claims wait for the others at most.
const MAX_PENDING: usize = 1 << 16;

/// What a node says to the others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// It asks for these.
    Claim(Vec<SequenceId>),
    /// It gives these to a node.
    Given { to: u64, left: Vec<Left> },
    /// It doesn't have these, for which a node has asked.
    Missed { to: u64, ids: Vec<SequenceId> },
    /// It has given these to a node just now, which is to answer a claim in its place.
    Passed { to: u64, by: u64, ids: Vec<SequenceId> },
    /// It waits for the end of these messages, which a node was handling when it gave
    /// their sequences.
    Awaited { by: u64, messages: Vec<(SequenceId, u64)> },
    /// A message for which a node waits is handled, or not; absent if nobody knows.
    Ended { to: u64, id: SequenceId, number: u64, is_handled: Option<bool> },
    /// It says no more.
    Leaving,
}

/// The claims of a node, and its answers to those of others.
#[derive(Debug)]
pub(super) struct Claims {
    /// This node.
    node: u64,
    sequences: Arc<Sequences>,
    /// What the clients of this node ask for.
    asked: tokio::sync::Mutex<mpsc::UnboundedReceiver<SequenceId>>,
    state: Mutex<State>,
    /// Notified when there is something to be said.
    due: Notify,
    /// Notified when something was heard.
    heard: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What isn't back yet.
    outbox: VecDeque<Said>,
    /// How many of these were taken since there is the current connection.
    sent: usize,
    /// How many were taken at all, and may be in the stream as they are.
    tried: usize,
    /// The number of the last one that is back.
    back: u64,
    others: HashMap<u64, Other>,
    pending: HashMap<SequenceId, Pending>,
    /// To whom what is given goes, until that is back.
    on_its_way: HashMap<SequenceId, u64>,
    /// How many ends of messages others are still to be told.
    ends: usize,
    own_beats: OwnBeats,
    /// Whether it has read who is there.
    is_loaded: bool,
    has_left: bool,
}

/// Another node.
#[derive(Debug, Default)]
struct Other {
    /// The number of what it said last.
    heard: u64,
    /// How many beats of this node have come since it was heard.
    silent: u32,
    has_left: bool,
}

/// A claim that isn't answered yet.
#[derive(Debug, Default)]
struct Pending {
    /// Whether it is back; then these are to answer it, each as often as it is here.
    is_back: bool,
    awaited: Vec<u64>,
    /// How many beats have come since.
    beats: u32,
}

impl Other {
    fn is_alive(&self) -> bool {
        !self.has_left && self.silent <= MOST_SILENT_BEATS
    }
}

impl Pending {
    fn is_answered_by(&mut self, node: u64) {
        if let Some(index) = self.awaited.iter().position(|it| *it == node) {
            self.awaited.swap_remove(index);
        }
    }
}

impl Claims {
    pub(super) fn new(node: u64, sequences: &Arc<Sequences>) -> Arc<Claims> {
        let (asks, asked) = mpsc::unbounded_channel();
        sequences.ask_nodes(asks);
        Arc::new(Claims {
            node,
            sequences: Arc::clone(sequences),
            asked: asked.into(),
            state: Mutex::default(),
            due: Notify::new(),
            heard: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic midway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for what clients ask for.
    pub(super) async fn run(&self) -> Infallible {
        let (mut asked, mut ids) = (self.asked.lock().await, Vec::new());
        while asked.recv_many(&mut ids, MAX_NAMES).await > 0 {
            self.claim(mem::take(&mut ids));
        }
        // Unreachable: the sender lives as long as the sequences.
        pending().await
    }

    fn claim(&self, mut ids: Vec<SequenceId>) {
        let mut state = self.state();
        let is_alone = state.is_loaded && !state.others.values().any(Other::is_alive);
        let is_alone = is_alone || state.has_left;
        ids.retain(|id| {
            let is_full = state.pending.len() >= MAX_PENDING;
            if is_alone || (is_full && !state.pending.contains_key(id)) {
                self.sequences.miss(*id);
                return false;
            }
            // Whoever has asked before gets the answer for all.
            state.pending.insert(*id, Pending::default()).is_none_or(|before| {
                state.pending.insert(*id, before);
                false
            })
        });
        self.say_claims(&mut state, ids);
    }

    fn say_claims(&self, state: &mut State, mut ids: Vec<SequenceId>) {
        // What waits goes together.
        if state.outbox.len() > state.tried
            && let Some(Said::Claim(last)) = state.outbox.back_mut()
        {
            let room = MAX_NAMES.saturating_sub(last.len()).min(ids.len());
            last.extend(ids.drain(..room));
        }
        for ids in ids.chunks(MAX_NAMES) {
            self.say(state, Said::Claim(ids.to_vec()));
        }
    }

    fn say(&self, state: &mut State, said: Said) {
        if !state.has_left {
            state.outbox.push_back(said);
            self.due.notify_one();
        }
    }

    /// Waits until there may be something to be said. Cancel safe.
    pub(super) async fn due(&self) {
        self.due.notified().await;
    }

    /// Takes what is to be appended next, with its number.
    pub(super) fn next_due(&self) -> Option<(u64, Vec<u8>)> {
        let mut state = self.state();
        let said = state.outbox.get(state.sent)?;
        // It has no maps with keys that are no texts.
        let body = serde_json::to_vec(said).ok()?;
        state.sent += 1;
        state.tried = state.tried.max(state.sent);
        Some((state.back + state.sent as u64, body))
    }

    /// Has all appended once more that isn't back.
    pub(super) fn take_again(&self) {
        self.state().sent = 0;
    }

    /// Whether this node has said its last.
    pub(super) fn has_left(&self) -> bool {
        self.state().has_left
    }

    /// Notes what there was in the stream before this node: somebody was there, and has
    /// said something.
    pub(super) fn note(&self, node: u64, is_recent: bool, said: Option<(u64, &[u8])>) {
        let mut state = self.state();
        let other = state.others.entry(node).or_default();
        other.silent = if is_recent { 0 } else { MOST_SILENT_BEATS + 1 };
        if let Some((number, said)) = said {
            other.heard = other.heard.max(number);
            other.has_left |= matches!(serde_json::from_slice(said), Ok(Said::Leaving));
        }
    }

    /// Notes that it has read who is there.
    pub(super) fn is_loaded(&self) {
        self.state().is_loaded = true;
    }

    /// Notes that another node is there.
    pub(super) fn is_alive(&self, node: u64) {
        self.state().others.entry(node).or_default().silent = 0;
    }

    /// Notes that a beat of this node is back.
    pub(super) fn has_beaten(&self) {
        let mut state = self.state();
        if !state.own_beats.has_counted() {
            return;
        }
        let mut gone = Vec::new();
        state.others.retain(|node, other| {
            other.silent += 1;
            if other.silent == MOST_SILENT_BEATS + 1 {
                gone.push(*node);
            }
            other.silent <= MOST_KNOWN_BEATS
        });
        for node in gone {
            self.is_gone(&mut state, node);
        }
        // Who is alive and doesn't answer has lost the claim, as the stream has.
        self.settle(&mut state, |pending| {
            pending.beats += 1;
            if pending.beats > MOST_SILENT_BEATS {
                pending.awaited.clear();
            }
        });
    }

    /// Notes that nothing more comes from another node.
    fn is_gone(&self, state: &mut State, node: u64) {
        self.settle(state, |pending| pending.awaited.retain(|it| *it != node));
        self.sequences.lost(node);
    }

    /// Changes what all claims that are back wait for; those that wait for nobody are
    /// missed.
    fn settle(&self, state: &mut State, mut change: impl FnMut(&mut Pending)) {
        state.pending.retain(|id, pending| {
            if !pending.is_back {
                return true;
            }
            change(pending);
            let is_awaited = !pending.awaited.is_empty();
            if !is_awaited {
                self.sequences.miss(*id);
            }
            is_awaited
        });
    }

    /// Changes what one claim waits for.
    fn settle_one(&self, state: &mut State, id: SequenceId, change: impl FnOnce(&mut Pending)) {
        let Some(pending) = state.pending.get_mut(&id) else { return };
        change(pending);
        if pending.is_back && pending.awaited.is_empty() {
            state.pending.remove(&id);
            self.sequences.miss(id);
        }
    }

    /// Asks once more for all that was asked before: entries are missing, and answers may
    /// be among them.
    pub(super) fn ask_again(&self) {
        let mut state = self.state();
        let unanswered = state.pending.iter_mut().filter(|(_, pending)| pending.is_back);
        let unanswered = unanswered.map(|(id, pending)| {
            *pending = Pending::default();
            *id
        });
        let ids = unanswered.collect();
        self.say_claims(&mut state, ids);
        let mut awaited = BTreeMap::<u64, Vec<_>>::new();
        for (node, id, number) in self.sequences.awaited() {
            awaited.entry(node).or_default().push((id, number));
        }
        for (by, messages) in awaited {
            for messages in messages.chunks(MAX_NAMES) {
                self.say(&mut state, Said::Awaited { by, messages: messages.to_vec() });
            }
        }
    }

    /// Takes what a node has said, which may have come before.
    pub(super) fn hear(
        self: &Arc<Self>,
        from: u64,
        number: u64,
        said: &[u8],
    ) -> Result<(), serde_json::Error> {
        let heard = self.take(from, number, said);
        self.heard.notify_waiters();
        heard
    }

    fn take(
        self: &Arc<Self>,
        from: u64,
        number: u64,
        said: &[u8],
    ) -> Result<(), serde_json::Error> {
        let mut state = self.state();
        if from == self.node {
            self.take_back(&mut state, number);
            return Ok(());
        }
        let other = state.others.entry(from).or_default();
        other.silent = 0;
        if number <= other.heard {
            return Ok(());
        }
        other.heard = number;
        match serde_json::from_slice(said)? {
            Said::Claim(ids) => self.answer(&mut state, from, ids),
            Said::Given { to, left } if to == self.node => {
                for left in left {
                    state.pending.remove(&left.id);
                    self.sequences.take_from(from, left);
                }
            }
            Said::Missed { to, ids } if to == self.node => {
                for id in ids {
                    self.settle_one(&mut state, id, |pending| pending.is_answered_by(from));
                }
            }
            Said::Passed { to, by, ids } if to == self.node => {
                let is_alive = state.others.get(&by).is_some_and(Other::is_alive);
                for id in ids {
                    self.settle_one(&mut state, id, |pending| {
                        pending.is_answered_by(from);
                        // What it said to the claim itself may be still to come, too.
                        pending.awaited.extend(is_alive.then_some(by));
                    });
                }
            }
            Said::Passed { to, by, ids } if by == self.node => self.answer(&mut state, to, ids),
            Said::Awaited { by, messages } if by == self.node => {
                for (id, number) in messages {
                    self.tell_end(&mut state, from, id, number);
                }
            }
            Said::Ended { to, id, number, is_handled } if to == self.node => {
                self.sequences.ended(id, from, number, is_handled);
            }
            Said::Leaving => {
                state.others.entry(from).or_default().has_left = true;
                self.is_gone(&mut state, from);
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes what is back of what this node has said.
    fn take_back(&self, state: &mut State, number: u64) {
        while state.back < number
            && let Some(said) = state.outbox.pop_front()
        {
            state.back += 1;
            state.sent = state.sent.saturating_sub(1);
            state.tried = state.tried.saturating_sub(1);
            match said {
                Said::Claim(ids) => {
                    let others = state.others.iter().filter(|(_, other)| other.is_alive());
                    let others: Vec<_> = others.map(|(node, _)| *node).collect();
                    for id in ids {
                        self.settle_one(state, id, |pending| {
                            pending.is_back = true;
                            pending.awaited.clone_from(&others);
                        });
                    }
                }
                Said::Given { left, .. } => {
                    for left in left {
                        state.on_its_way.remove(&left.id);
                    }
                }
                _ => {}
            }
        }
    }

    /// Gives a node what it asks for, as far as it is here.
    fn answer(self: &Arc<Self>, state: &mut State, to: u64, ids: Vec<SequenceId>) {
        let (mut left, mut missed) = (Vec::new(), Vec::new());
        let mut passed = BTreeMap::<u64, Vec<_>>::new();
        for id in ids {
            match (self.sequences.give(id), state.on_its_way.get(&id)) {
                (Some(it), _) => left.push(it),
                // Who gets it has read the claim before it had it.
                (None, Some(by)) if *by != to => passed.entry(*by).or_default().push(id),
                (None, _) => missed.push(id),
            }
        }
        self.give(state, to, left);
        for (by, ids) in passed {
            self.say(state, Said::Passed { to, by, ids });
        }
        if !missed.is_empty() {
            self.say(state, Said::Missed { to, ids: missed });
        }
    }

    fn give(self: &Arc<Self>, state: &mut State, to: u64, left: Vec<Left>) {
        let handling: Vec<_> =
            left.iter().filter_map(|it| Some((it.id, it.heard.handling?))).collect();
        state.on_its_way.extend(left.iter().map(|it| (it.id, to)));
        let mut left = left.into_iter().peekable();
        while left.peek().is_some() {
            let left = left.by_ref().take(MAX_NAMES).collect();
            self.say(state, Said::Given { to, left });
        }
        for (id, number) in handling {
            self.tell_end(state, to, id, number);
        }
    }

    /// Tells a node when a message isn't being handled any more.
    fn tell_end(self: &Arc<Self>, state: &mut State, to: u64, id: SequenceId, number: u64) {
        state.ends += 1;
        let claims = Arc::clone(self);
        tokio::spawn(async move {
            let is_handled = claims.sequences.end_of(id, number).await;
            let mut state = claims.state();
            state.ends -= 1;
            claims.say(&mut state, Said::Ended { to, id, number, is_handled });
        });
    }

    /// Gives all that is here to another node, if there is one, and says that this one
    /// ends. Returns when that is back. Cancel safe.
    pub(super) async fn leave(self: &Arc<Self>) {
        loop {
            let heard = self.heard.notified();
            if self.leave_more() {
                return;
            }
            heard.await;
        }
    }

    /// Goes on leaving; returns whether that is done.
    fn leave_more(self: &Arc<Self>) -> bool {
        let mut state = self.state();
        let others = state.others.iter().filter(|(_, other)| other.is_alive());
        let to = others.min_by_key(|(_, other)| other.silent).map(|(node, _)| *node);
        let Some(to) = to else { return true };
        // What it has asked for may still come.
        if !state.pending.is_empty() || !state.outbox.is_empty() {
            return false;
        }
        if state.has_left {
            return true;
        }
        let left = self.sequences.give_all();
        if !left.is_empty() {
            self.give(&mut state, to, left);
        } else if state.ends == 0 {
            self.say(&mut state, Said::Leaving);
            state.has_left = true;
        }
        false
    }
}
