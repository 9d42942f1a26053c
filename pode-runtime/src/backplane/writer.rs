//! Appends what is sent in this node, once each.
//!
//! Batches go one after the other. After a cut, or if another term has begun, nobody knows
//! what of the last one went: then a new connection makes sure that it does now or never
//! will, and when the reader has come so far, whatever isn't back goes again.

use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::beats::BEAT;
use super::carrier::{
    Appended, Appender, Carrier, CarrierError, EntryId, Known, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES,
    Opened, ToAppend,
};
use super::entry::{Origin, What};
use super::node::{Announcement, Node};
use super::reader::Begun;
use super::retry::Retry;
use super::stream::unix_ms;
use super::ticks::CarrierTime;
use crate::base::trouble::Trouble;

/// How many entries of one channel come before others have their turn.
const ENTRIES_PER_TURN: usize = 64;

/// How long the reader may take to come as far as the carrier.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait before asking for the term that has begun.
const STALE_PAUSE: Duration = Duration::from_millis(10);

/// After so many terms that took nothing, it isn't that others have begun.
const MOST_IN_VAIN: u32 = 3;

/// How long it takes at least from a beat to one that a client asks for: whoever makes
/// positions up has few of them written, and read by all nodes.
const ASKED_PAUSE: Duration = Duration::from_millis(20);

/// How long to wait if the carrier has no room.
const FULL_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct NodeWriter<C: Carrier> {
    node: Arc<Node<C>>,
    /// Lets the reader begin.
    begin: Option<oneshot::Sender<Begun>>,
    /// The current term and its epoch.
    term: Option<(u64, u64)>,
    /// Whether something was appended since the last failure.
    has_appended: bool,
    /// The channel whose turn is next.
    next: usize,
    /// What was announced by this connection.
    announced: Vec<u64>,
}

impl<C: Carrier> NodeWriter<C> {
    pub(super) fn new(node: Arc<Node<C>>, begin: oneshot::Sender<Begun>) -> NodeWriter<C> {
        let announced = vec![0; node.channels.len()];
        let begin = Some(begin);
        NodeWriter { node, begin, term: None, has_appended: false, next: 0, announced }
    }

    pub(super) async fn run(mut self) -> Infallible {
        let mut retry = Retry::new("sending to the backplane");
        // Until another one is open, which makes sure of what became of its last batch.
        let mut before = None;
        // How many terms in a row took nothing.
        let mut in_vain = 0;
        loop {
            let ended = match self.open(before.as_ref()).await {
                Ok(mut appender) => {
                    // Some of what was said may be lost.
                    self.node.announce_present();
                    let ended = self.append_all(&mut appender, &mut retry).await;
                    before = Some(appender);
                    ended
                }
                Err(error) => Err(error),
            };
            let error = match ended {
                Ok(()) => {
                    in_vain = if mem::take(&mut self.has_appended) { 0 } else { in_vain + 1 };
                    if in_vain < MOST_IN_VAIN {
                        sleep(STALE_PAUSE).await;
                        continue;
                    }
                    CarrierError {
                        reason: "it takes nothing in the term that it has".to_owned(),
                        is_final: false,
                    }
                }
                Err(error) => error,
            };
            self.has_appended = false;
            self.node.trouble.send_replace(Some((error.reason.clone(), error.is_final)));
            retry.failed(&error).await;
        }
    }

    /// Connects, and finds out what of the last batch is there.
    async fn open(&mut self, before: Option<&C::Appender>) -> Result<C::Appender, CarrierError> {
        let streams = self.node.channels.len() + 1;
        let (mut cursors, term) = {
            let progress = self.node.progress.borrow();
            (progress.cursors.clone(), self.term.max(progress.term))
        };
        cursors.resize(streams, Default::default());
        let ticket_key = self.node.tickets.key();
        let known = Known { term, cursors, ticket_key };
        let mut opened = self.node.carrier.open(&known, before).await?;
        self.ask_for_time(&mut opened.appender).await?;
        if let Some(begin) = self.begin.take() {
            // The reader is there as long as the node.
            let _ = begin.send(Begun::of(&opened));
        }
        let Opened { appender, terms, tops, ticket_key, is_fenced } = opened;
        self.node.tickets.set_key(ticket_key);
        self.term = terms.last().map(|term| (term.term, term.epoch));
        self.announced.fill(0);
        // What comes twice is known by its number.
        self.node.claims.take_again();
        if !is_fenced {
            self.node.channels.iter().for_each(|channel| channel.give_up());
            self.node.ticks.claim_again();
            return Ok(appender);
        }
        let mut progress = self.node.progress.subscribe();
        let caught_up = progress.wait_for(|progress| {
            progress.cursors.len() == tops.len()
                && progress.cursors.iter().zip(&tops).all(|(at, top)| *at >= top.id || !top.is_kept)
        });
        match timeout(CATCH_UP_TIMEOUT, caught_up).await {
            Ok(_) => {
                for ((channel, top), read) in
                    self.node.channels.iter().zip(&tops).zip(&known.cursors)
                {
                    if !top.is_kept && top.id > *read {
                        channel.doubt();
                    }
                    channel.take_again();
                }
                self.node.ticks.claim_again();
                Ok(appender)
            }
            Err(_) => {
                // Such as a primary that was, and hasn't heard of it.
                self.node.is_elsewhere.notify_one();
                Err(CarrierError {
                    reason: "what it has can't be read".to_owned(),
                    is_final: false,
                })
            }
        }
    }

    /// Appends until that fails, or another term has begun. Only what is appended shows that
    /// it works.
    async fn append_all(
        &mut self,
        appender: &mut C::Appender,
        retry: &mut Retry,
    ) -> Result<(), CarrierError> {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut batch, mut is_beat, mut full) = (Vec::new(), false, Trouble::default());
        let mut asked_from = Instant::now();
        loop {
            is_beat |= beats.tick().now_or_never().is_some();
            if asked_from <= Instant::now() {
                is_beat |= self.node.catch_up.asked().now_or_never().is_some();
            }
            if batch.is_empty() {
                if is_beat {
                    self.ask_for_time(appender).await?;
                    asked_from = Instant::now() + ASKED_PAUSE;
                }
                batch = self.next_batch(mem::take(&mut is_beat));
            }
            if batch.is_empty() {
                tokio::select! {
                    () = self.node.signals.hub().noticed() => {}
                    () = self.node.announced.notified() => {}
                    () = self.is_asked(asked_from) => is_beat = true,
                    () = self.node.claims.due() => {}
                    _ = beats.tick() => is_beat = true,
                }
                continue;
            }
            let term = self.term.map_or(0, |(term, _)| term);
            let before = self.read_before(&batch);
            match appender.append(term, &batch).await? {
                // Where all was lost, another node may have begun anew with an earlier term.
                // Or somebody else has, with a stream: then numbers of this term come twice,
                // and it isn't to go on.
                Appended::All(ids)
                    if ids.iter().zip(&before).any(|(id, read)| id.index == 0 || id <= read) =>
                {
                    self.term = Some((term, u64::MAX));
                    return Ok(());
                }
                Appended::All(_) => {
                    batch.clear();
                    if !mem::replace(&mut self.has_appended, true) {
                        retry.succeeded();
                        self.node.trouble.send_replace(None);
                    }
                    if full.ends() {
                        tracing::info!("the backplane takes messages again");
                    }
                }
                Appended::Stale => return Ok(()),
                Appended::Full => {
                    if full.begins() {
                        tracing::error!(
                            "the backplane takes no messages: it is out of memory, or has too \
                             few replicas"
                        );
                    }
                    sleep(FULL_PAUSE).await;
                }
            }
        }
    }

    /// Waits until a client asks for a beat, from that moment on. Cancel safe.
    async fn is_asked(&self, from: Instant) {
        sleep_until(from).await;
        self.node.catch_up.asked().await;
    }

    /// Returns the last entry that was read of each one's stream.
    fn read_before(&self, batch: &[ToAppend]) -> Vec<EntryId> {
        let cursors = &self.node.progress.borrow().cursors;
        let read = |entry: &ToAppend| cursors.get(entry.stream).copied().unwrap_or_default();
        batch.iter().map(read).collect()
    }

    async fn ask_for_time(&self, appender: &mut C::Appender) -> Result<(), CarrierError> {
        let asked = Instant::now();
        let since_1970 = appender.time().await?;
        self.node.ticks.set_time(CarrierTime { since_1970, asked, answered: Instant::now() });
        Ok(())
    }

    /// Takes what is to be appended next.
    fn next_batch(&mut self, is_beat: bool) -> Vec<ToAppend> {
        let Some((term, epoch)) = self.term else { return Vec::new() };
        let (node, sent_ms) = (self.node.id, unix_ms());
        let origin = |serial| Origin { epoch, node, serial, sent_ms };
        let mut batch = Vec::new();
        let streams = self.node.channels.len();
        let ticks_claimed = self.node.ticks.take_claims();
        let ticks = ticks_claimed.iter().map(|(job, slot)| What::Tick { job, slot: *slot });
        let time = self.node.ticks.now().unwrap_or(sent_ms);
        let by_carrier = |serial| Origin { sent_ms: time, ..origin(serial) };
        let is_beat = is_beat && !self.node.claims.has_left();
        let alive = What::Alive { present_as: self.node.signals.presence_node() };
        let beat = is_beat.then(|| (alive, self.node.catch_up.begin_beat()));
        for (what, serial) in beat.into_iter().chain(ticks.map(|tick| (tick, 0))) {
            let body = what.write(by_carrier(serial));
            batch.extend(body.map(|body| ToAppend { stream: streams, body, last_of: None }));
        }
        for (stream, announced) in self.announced.iter_mut().enumerate() {
            let due = self.node.with_announcements(|all| all[stream]);
            if let Some(Announcement { term: of, from }) = due.filter(|it| it.term <= term)
                && *announced < of
            {
                *announced = of;
                let body = What::Lost { from }.write(origin(0));
                batch.extend(body.map(|body| ToAppend { stream, body, last_of: None }));
            }
        }
        for stream in self.node.take_probed() {
            let alive = What::Alive { present_as: self.node.signals.presence_node() };
            let body = alive.write(origin(self.node.channels[stream].next_serial()));
            batch.extend(body.map(|body| ToAppend { stream, body, last_of: None }));
        }
        let mut bytes = 0;
        while batch.len() < MAX_BATCH_ENTRIES / 2
            && bytes < MAX_BATCH_BYTES / 2
            && let Some((serial, said)) = self.node.claims.next_due()
        {
            bytes += said.len();
            let body = What::Said(&said).write(by_carrier(serial));
            batch.extend(body.map(|body| ToAppend { stream: streams, body, last_of: None }));
        }
        for turn in 0..streams {
            let stream = (self.next + turn) % streams;
            let channel = &self.node.channels[stream];
            while batch.len() < MAX_BATCH_ENTRIES && bytes < MAX_BATCH_BYTES {
                let entries = ENTRIES_PER_TURN.min(MAX_BATCH_ENTRIES - batch.len());
                let taken = channel.take_sent(entries, MAX_BATCH_BYTES - bytes);
                if taken.is_empty() {
                    break;
                }
                for (serial, envelope) in taken {
                    // What concerns this process alone isn't published.
                    let Some(body) = What::Envelope(&envelope).write(origin(serial)) else {
                        continue;
                    };
                    bytes += body.len();
                    let lasting = self.node.lasting[stream];
                    let last_of = lasting.and_then(|lasting| lasting.last_of(&envelope));
                    batch.push(ToAppend { stream, body, last_of });
                }
            }
        }
        self.next = (self.next + 1) % streams.max(1);
        batch
    }
}
