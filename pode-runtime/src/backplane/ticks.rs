//! Which node fires, of timers and schedules that fire on one of them.
//!
//! A node appends to the stream of the nodes that it claims a slot. The first entry of a
//! slot wins, unless one of a later slot came before; so each node knows from what it
//! reads who has which slot. Where entries may be lost, no slot is won that somebody may
//! have had by one of them: no later one than that time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};

use super::carrier::EntryId;
use crate::jobs::claim::{SharedTime, milliseconds};

/// How far the clock of a carrier may be behind that of the one before it.
const CARRIERS_DIFFER_MS: u64 = 1_000;

/// How long an entry may be on its way.
const ON_ITS_WAY_MS: u64 = 10_000;

/// How long a node whose clock is ahead waits until the carrier shows the time, too.
const NODES_DIFFER: Duration = Duration::from_secs(10);

/// What a carrier said of its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct CarrierTime {
    pub(super) since_1970: Duration,
    pub(super) asked: Instant,
    pub(super) answered: Instant,
}

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    time: watch::Sender<Option<CarrierTime>>,
    claims: Mutex<Claims>,
}

#[derive(Debug, Default)]
struct Claims {
    /// The last slot of each job that was claimed.
    last: HashMap<String, u64>,
    /// The last slot that somebody may have had by an entry that is lost.
    lost: u64,
    /// What this node has claimed and not read yet.
    own: HashMap<String, Claim>,
}

#[derive(Debug)]
struct Claim {
    slot: u64,
    is_appended: bool,
    answer: oneshot::Sender<bool>,
}

impl Ticks {
    pub(super) fn set_time(&self, time: CarrierTime) {
        self.time.send_replace(Some(time));
    }

    /// Returns the time of the carrier, or an earlier one, by what it said last.
    pub(super) fn now(&self) -> Option<u64> {
        let time = (*self.time.borrow())?;
        Some(milliseconds(time.since_1970 + time.answered.elapsed()))
    }

    /// Returns the time of the carrier, or a later one.
    fn latest(&self) -> Option<u64> {
        let time = (*self.time.borrow())?;
        Some(milliseconds(time.since_1970 + time.asked.elapsed()))
    }

    /// Claims a slot; what is dropped is no.
    pub(super) fn claim(&self, job: String, slot: u64) -> oneshot::Receiver<bool> {
        let (answer, answered) = oneshot::channel();
        self.with(|claims| {
            if slot > claims.lost && claims.last.get(&job).is_none_or(|last| *last < slot) {
                claims.own.insert(job, Claim { slot, is_appended: false, answer });
            }
        });
        answered
    }

    /// Takes that a term begins: entries of the one before may be lost.
    pub(super) fn begin_term(&self, term: u64) {
        // What was claimed in an earlier term began before this one did.
        self.lose(term.saturating_add(CARRIERS_DIFFER_MS));
    }

    /// Takes that entries between two are no longer kept: behind the one that was read
    /// last, and before one that was sent then.
    pub(super) fn miss(&self, sent_ms: u64, before: EntryId) {
        let sent_until = sent_ms.saturating_add(ON_ITS_WAY_MS);
        // Those before the first one that is kept are older than it.
        let read_until = self.latest().filter(|_| before != EntryId::default());
        self.lose(sent_until.max(read_until.unwrap_or_default()));
    }

    /// Waits until the time of the carrier is known. Cancel safe.
    pub(super) async fn time(&self) -> SharedTime {
        let mut time = self.time.subscribe();
        match time.wait_for(Option::is_some).await.map(|time| *time) {
            Ok(Some(CarrierTime { since_1970, answered: at, .. })) => SharedTime { since_1970, at },
            // Unreachable: the sender lives as long as this.
            _ => std::future::pending().await,
        }
    }

    /// Waits until a slot begins, for some seconds at most.
    pub(super) async fn begin_of(&self, slot: u64) {
        let now = milliseconds(self.time().await.when(Instant::now()));
        sleep(Duration::from_millis(slot.saturating_sub(now)).min(NODES_DIFFER)).await;
    }

    /// Takes the claims that are to be appended.
    pub(super) fn take_claims(&self) -> Vec<(String, u64)> {
        self.with(|claims| {
            claims.own.retain(|_, claim| !claim.answer.is_closed());
            let due = claims.own.iter_mut().filter(|(_, claim)| !claim.is_appended);
            due.map(|(job, claim)| {
                claim.is_appended = true;
                (job.clone(), claim.slot)
            })
            .collect()
        })
    }

    /// Has claims appended that may not have been. Those that were win once.
    pub(super) fn claim_again(&self) {
        self.with(|claims| claims.own.values_mut().for_each(|claim| claim.is_appended = false));
    }

    /// Takes that a slot was claimed. What this node still claims is later than all slots
    /// that were claimed before.
    pub(super) fn take(&self, job: &str, slot: u64, is_own: bool) {
        self.with(|claims| {
            match claims.last.get_mut(job) {
                Some(last) => *last = slot.max(*last),
                None => drop(claims.last.insert(job.to_owned(), slot)),
            }
            let is_over = claims.own.get(job).is_some_and(|claim| claim.slot <= slot);
            if is_over && let Some(claim) = claims.own.remove(job) {
                // Nobody may wait for it any more.
                let _ = claim.answer.send(is_own && claim.slot == slot);
            }
        });
    }

    /// Takes that entries may be lost by which somebody had slots up to this one.
    fn lose(&self, until: u64) {
        self.with(|claims| {
            claims.lost = claims.lost.max(until);
            claims.own.retain(|_, claim| claim.slot > until);
        });
    }

    fn with<R>(&self, work: impl FnOnce(&mut Claims) -> R) -> R {
        // No code that holds the lock can panic midway.
        work(&mut self.claims.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
