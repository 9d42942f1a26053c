//! One node of a server: what is sent here goes to the carrier, and what all nodes have
//! sent comes from there, in one order.
//!
//! A `writer` and a `reader` do that, each by a connection of its own; here is what they
//! share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pode_core::hub::Channel;
use tokio::sync::{Notify, watch};

use super::beats::{BEAT, MOST_SILENT_BEATS};
use super::carrier::{Carrier, EntryId};
use super::claims::Claims;
use super::ticks::Ticks;
use crate::app::catch_up::CatchUp;
use crate::app::context::Context;
use crate::app::tickets::Tickets;
use crate::jobs::claim::{SharedTime, Slots};
use crate::push::engine::{Envelope, Lasting, random_epoch};
use crate::push::publisher::Signals;

/// A node that hasn't read its own beat for so long is cut off.
pub(super) const CUT_OFF: Duration = BEAT.saturating_mul(MOST_SILENT_BEATS);

pub(crate) struct Node<C> {
    pub(super) carrier: C,
    /// Names this process among the nodes.
    pub(super) id: u64,
    pub(super) signals: Signals,
    pub(super) tickets: Arc<Tickets>,
    pub(super) catch_up: Arc<CatchUp>,
    pub(super) claims: Arc<Claims>,
    /// One stream for each, and one more for the nodes.
    pub(super) channels: Vec<Channel<Envelope>>,
    /// Which of each one's messages count however long ago they were sent.
    pub(super) lasting: Vec<Option<Lasting>>,
    pub(super) progress: watch::Sender<Progress>,
    /// How many of its own beats this node has read.
    pub(super) heard: watch::Sender<u64>,
    announcements: Mutex<Vec<Option<Announcement>>>,
    /// Where this node finds out which of its messages are back.
    probed: Mutex<BTreeSet<usize>>,
    /// Why it can't append, and whether it never will.
    pub(super) trouble: watch::Sender<Option<(String, bool)>>,
    /// Notified when there is something of this node to append.
    pub(super) announced: Notify,
    /// Notified when what there is can't be read where this node reads.
    pub(super) is_elsewhere: Notify,
    pub(super) ticks: Ticks,
    /// What it has to say of who is present, in which stream.
    pub(super) presence_due: Mutex<BTreeMap<usize, PresenceDue>>,
    pub(super) presence_is_due: Notify,
}

/// How far this node has read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) cursors: Vec<EntryId>,
    /// The last term that has begun since, and its epoch.
    pub(super) term: Option<(u64, u64)>,
    /// Whether that is all that there was at the start.
    pub(super) is_loaded: bool,
}

/// What this node says of a stream until it has read that somebody has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announcement {
    pub(super) term: u64,
    /// The first number that is lost.
    pub(super) from: u64,
}

/// What this node has to say of who is present, in a stream.
#[derive(Debug, Default)]
pub(super) struct PresenceDue {
    /// Who is there?
    pub(super) asks: bool,
    /// These are its clients.
    pub(super) announces: bool,
    /// These nodes are gone.
    pub(super) gone: BTreeSet<u64>,
}

impl<C: Carrier> Node<C> {
    /// Of the signals that are `lasting`, the carrier keeps the last messages besides.
    pub(crate) fn new(
        carrier: C,
        context: &Context,
        lasting: &HashMap<&'static str, Lasting>,
    ) -> Arc<Node<C>> {
        let Context { signals, tickets, sequences, catch_up, .. } = context;
        let id = random_epoch();
        let channels: Vec<_> = signals.hub().channels().cloned().collect();
        let lasting = channels.iter().map(|channel| lasting.get(channel.path()).copied());
        let (lasting, streams) = (lasting.collect(), channels.len() + 1);
        Arc::new(Node {
            carrier,
            id,
            signals: signals.clone(),
            tickets: Arc::clone(tickets),
            catch_up: Arc::clone(catch_up),
            claims: Claims::new(id, sequences),
            channels,
            lasting,
            progress: watch::Sender::default(),
            heard: watch::Sender::new(0),
            announcements: Mutex::new(vec![None; streams]),
            probed: Mutex::default(),
            trouble: watch::Sender::new(None),
            announced: Notify::new(),
            is_elsewhere: Notify::new(),
            ticks: Ticks::default(),
            presence_due: Mutex::default(),
            presence_is_due: Notify::new(),
        })
    }

    /// Waits until all is read that there was at the start. Cancel safe.
    pub(crate) async fn loaded(&self) {
        let mut progress = self.progress.subscribe();
        // The sender lives as long as this.
        let _ = progress.wait_for(|progress| progress.is_loaded).await;
    }

    /// Waits until it is clear that the carrier can't be used, and why. Cancel safe.
    pub(crate) async fn is_unusable(&self) -> String {
        let mut trouble = self.trouble.subscribe();
        let is_final = |trouble: &Option<(_, bool)>| trouble.as_ref().is_some_and(|it| it.1);
        match trouble.wait_for(is_final).await.ok().and_then(|trouble| trouble.clone()) {
            Some((reason, _)) => reason,
            // Unreachable: the sender lives as long as this.
            None => std::future::pending().await,
        }
    }

    /// Returns why it can't append, if it can't.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().as_ref().map(|(reason, _)| reason.clone())
    }

    /// Has it said that messages of a stream are lost, until somebody has in that term.
    pub(super) fn announce(&self, stream: usize, term: u64, from: u64) {
        self.with_announcements(|all| {
            let before = all[stream].map_or(from, |before| before.from);
            all[stream] = Some(Announcement { term, from: from.min(before) });
        });
        self.announced.notify_one();
    }

    /// Has a sign of this node appended to a stream: when that is back, so is all that it has
    /// appended there before, or it is gone.
    pub(super) fn probe(&self, stream: usize) {
        self.with_probed(|probed| probed.insert(stream));
        self.announced.notify_one();
    }

    /// Returns where that is due.
    pub(super) fn take_probed(&self) -> BTreeSet<usize> {
        self.with_probed(mem::take)
    }

    fn with_probed<R>(&self, work: impl FnOnce(&mut BTreeSet<usize>) -> R) -> R {
        // No code that holds the lock can panic midway.
        work(&mut self.probed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns from which number on it is said that messages are lost.
    pub(super) fn announced_from(&self, stream: usize) -> Option<u64> {
        self.with_announcements(|all| all[stream]).map(|announcement| announcement.from)
    }

    /// Notes that somebody has.
    pub(super) fn is_announced(&self, stream: usize, term: u64, from: u64) {
        self.with_announcements(|all| {
            all[stream]
                .take_if(|announcement| announcement.term <= term && announcement.from >= from);
        });
    }

    pub(super) fn with_announcements<R>(
        &self,
        work: impl FnOnce(&mut [Option<Announcement>]) -> R,
    ) -> R {
        // No code that holds the lock can panic midway.
        work(&mut self.announcements.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<C: Carrier> Slots for Node<C> {
    fn time(&self) -> BoxFuture<'_, SharedTime> {
        self.ticks.time().boxed()
    }

    fn claim(&self, job: String, slot: u64) -> BoxFuture<'_, bool> {
        async move {
            // One that hasn't begun could be won again, in a term that begins meanwhile.
            self.ticks.begin_of(slot).await;
            let answered = self.ticks.claim(job, slot);
            self.announced.notify_one();
            answered.await.unwrap_or(false)
        }
        .boxed()
    }
}
