//! Reads all that a carrier has, and puts it into the channels of this node.

use std::mem;
use std::sync::Arc;

use pode_core::SendError;
use pode_core::hub::Parcel;

use super::carrier::{
    Carrier, CarrierError, EntryId, Opened, Read, ReadEntries, Reader, Term, Top,
};
use super::entry::{self, Found, Origin, Sealed, Unsound};
use super::node::{CUT_OFF, Node};
use super::presence::HeardNodes;
use super::retry::Retry;
use super::stream::{Stream, sent_at, tell, unix_ms};
use crate::base::log::ration::rationed;
use crate::push::engine::{Command, Why};

/// What there is when a node begins to read.
pub(super) struct Begun {
    pub(super) terms: Vec<Term>,
    pub(super) tops: Vec<Top>,
}

impl Begun {
    pub(super) fn of<A>(opened: &Opened<A>) -> Begun {
        Begun { terms: opened.terms.clone(), tops: opened.tops.clone() }
    }
}

/// The part of a node that reads.
pub(super) struct NodeReader<C> {
    node: Arc<Node<C>>,
    streams: Vec<Stream>,
    /// Those that there were at the start.
    terms: Vec<Term>,
    /// The last that has begun since, and its epoch.
    term: Option<(u64, u64)>,
    /// The last beat of this node.
    beat: u64,
    heard: HeardNodes,
}

impl<C: Carrier> NodeReader<C> {
    pub(super) fn new(node: Arc<Node<C>>, begun: Begun) -> NodeReader<C> {
        let Begun { terms, tops } = begun;
        let channels = node.channels.iter().cloned().map(Some).chain([None]);
        let lasting = node.lasting.iter().map(Option::is_some).chain([false]);
        let streams = channels.zip(lasting).zip(tops);
        let streams = streams.map(|((channel, has_lasting), top)| Stream {
            channel,
            has_lasting,
            last: None,
            cursor: EntryId::default(),
            missed_after: None,
            spoiled: None,
            top,
            is_loaded: false,
            lost: Default::default(),
        });
        let streams = streams.collect();
        NodeReader { node, streams, terms, term: None, beat: 0, heard: HeardNodes::default() }
    }

    /// Reads until nobody receives any more.
    pub(super) async fn run(mut self) -> SendError {
        let mut retry = Retry::new("reading from the backplane");
        loop {
            let mut reader = match self.node.carrier.reader().await {
                Ok(reader) => reader,
                Err(error) => {
                    retry.failed(&error).await;
                    continue;
                }
            };
            let failed = match self.read_all(&mut reader, &mut retry).await {
                Ok(error) => error,
                Err(error) => return error,
            };
            retry.failed(&failed).await;
        }
    }

    /// Reads until the connection fails, and returns why.
    async fn read_all(
        &mut self,
        reader: &mut C::Reader,
        retry: &mut Retry,
    ) -> Result<CarrierError, SendError> {
        // Of those that somebody has trimmed to nothing, there is nothing else to load.
        for index in 0..self.streams.len() {
            let stream = &mut self.streams[index];
            if !stream.top.is_kept && !stream.is_loaded {
                if let Err(error) = stream.load_last(reader, index).await {
                    return Ok(error);
                }
                self.begin(index).await?;
            }
        }
        loop {
            let cursors: Vec<_> = self.streams.iter().map(|stream| stream.cursor).collect();
            let read = tokio::select! {
                read = reader.read(&cursors) => read,
                () = self.node.is_elsewhere.notified() => Err(CarrierError {
                    reason: "what was sent doesn't come".to_owned(),
                    is_final: false,
                }),
            };
            let read = match read {
                Ok(read) => read,
                Err(error) => return Ok(error),
            };
            if let Some(error) = self.take_all(reader, read).await? {
                return Ok(error);
            }
            retry.succeeded();
        }
    }

    /// Takes what was read; if the connection fails, not all of it.
    async fn take_all(
        &mut self,
        reader: &mut C::Reader,
        read: ReadEntries,
    ) -> Result<Option<CarrierError>, SendError> {
        let ReadEntries { entries, are_all } = read;
        let mut failed = None;
        for Read { stream, id, body } in entries {
            let asked = self.streams[stream].ask_for_last(reader, stream, id, &body).await;
            failed = asked.err();
            if failed.is_some() {
                break;
            }
            self.take(stream, id, &body).await?;
        }
        let are_all = are_all && failed.is_none();
        let cursors = self.streams.iter().map(|stream| stream.cursor);
        let is_loaded = self.streams.iter().all(|stream| stream.is_loaded);
        self.node.progress.send_modify(|progress| {
            progress.cursors.clear();
            progress.cursors.extend(cursors);
            progress.term = self.term;
            progress.is_loaded = is_loaded;
        });
        self.node.catch_up.has_read(is_loaded.then_some(if are_all { self.beat } else { 0 }));
        Ok(failed)
    }

    /// Takes the next entry of a stream.
    async fn take(&mut self, index: usize, id: EntryId, body: &[u8]) -> Result<(), SendError> {
        let stream = &mut self.streams[index];
        if id <= stream.cursor {
            return Ok(());
        }
        let cursor = mem::replace(&mut stream.cursor, id);
        let before = stream.missed_after.unwrap_or(cursor);
        if stream.channel.is_none() {
            let (is_loaded, top) = (stream.is_loaded, stream.top.id);
            self.take_of_nodes(index, before, id, body);
            return if !is_loaded && id >= top { self.begin(index).await } else { Ok(()) };
        }
        let is_spoiled = stream.is_spoiled(before, id, body);
        if !stream.is_loaded {
            let is_later = self.terms.last().is_some_and(|last| id.term > last.term);
            if !is_later {
                if !is_spoiled {
                    stream.missed_after = None;
                    stream.load(before, id, body);
                }
                return if id >= stream.top.id { self.begin(index).await } else { Ok(()) };
            }
            // A term has begun since: what there was to load may be lost.
            self.begin(index).await?;
        }
        if is_spoiled {
            return Ok(());
        }
        if id.index == 1 {
            return match entry::read_first_of_term(body) {
                Ok((epoch, head)) => {
                    self.term = self.term.max(Some((id.term, epoch)));
                    self.streams[index].missed_after = None;
                    self.begin_term(index, before, head, epoch, id).await
                }
                Err(unsound) => {
                    self.leave_out(index, before, id, &unsound);
                    Ok(())
                }
            };
        }
        let (origin, found) = match entry::read(body) {
            Ok(read) => read,
            Err(unsound) => {
                self.leave_out(index, before, id, &unsound);
                return Ok(());
            }
        };
        self.streams[index].missed_after = None;
        if !id.is_next_to(before) {
            let announced = self.node.announced_from(index);
            self.streams[index].skip(before, id.number(), origin.epoch, announced).await?;
            self.come_back_to(index);
        }
        match found {
            Found::Envelope(sealed) => self.deliver(index, id, origin, &sealed).await,
            Found::Lost { from } => self.lose(index, id, from, origin.epoch).await,
            Found::Alive { .. } => {
                let Some(channel) = &self.streams[index].channel else { return Ok(()) };
                if let Some(log) = channel.log() {
                    log.with(|log| log.skip_to(id.behind()));
                }
                if origin.node == self.node.id {
                    channel.give_up_before(origin.serial);
                }
                Ok(())
            }
            Found::Tick { .. } | Found::Said(_) => Ok(()),
        }
    }

    /// Passes over an entry of a channel's stream that can't be read.
    fn leave_out(&mut self, index: usize, before: EntryId, id: EntryId, unsound: &Unsound) {
        if self.streams[index].leave_out(before, id, unsound) {
            self.node.probe(index);
        }
    }

    /// Takes the next entry of the stream of the nodes.
    fn take_of_nodes(&mut self, index: usize, before: EntryId, id: EntryId, body: &[u8]) {
        let Node { id: this, ticks, claims, heard, .. } = &*self.node;
        let stream = &mut self.streams[index];
        let is_loaded = stream.is_loaded;
        if id.index == 1 {
            match entry::read_first_of_term(body) {
                Ok((epoch, _)) => {
                    stream.missed_after = None;
                    ticks.begin_term(id.term);
                    if is_loaded {
                        claims.ask_again();
                    }
                    self.term = self.term.max(Some((id.term, epoch)));
                }
                Err(unsound) => {
                    stream.leave_out(before, id, &unsound);
                }
            }
            return;
        }
        let (origin, found) = match entry::read(body) {
            Ok(read) => read,
            Err(unsound) => {
                stream.leave_out(before, id, &unsound);
                return;
            }
        };
        stream.missed_after = None;
        let Origin { node, serial, sent_ms, .. } = origin;
        if !id.is_next_to(before) {
            ticks.miss(sent_ms, before);
            if is_loaded {
                claims.ask_again();
            }
        }
        if let Found::Tick { job, slot } = found {
            ticks.take(job, slot, node == *this);
        }
        let said = if let Found::Said(said) = found { Some(said) } else { None };
        if !is_loaded {
            // What is taken for alive is so for a while at most.
            let now = ticks.now().unwrap_or_else(unix_ms);
            let is_recent = now.saturating_sub(sent_ms) < CUT_OFF.as_millis() as u64;
            claims.note(node, is_recent, said.map(|said| (serial, said)));
            return;
        }
        if let Some(said) = said
            && let Err(error) = claims.hear(node, serial, said)
        {
            rationed!(warn, "what another node says isn't understood: {error}");
        }
        match found {
            Found::Alive { .. } if node == *this => {
                self.beat = self.beat.max(serial);
                heard.send_modify(|beats| *beats += 1);
                claims.has_beaten();
                self.heard.beat(&self.node);
            }
            Found::Alive { present_as } => {
                claims.is_alive(node);
                self.heard.hear(present_as);
            }
            _ => {}
        }
    }

    /// Ends loading of a stream.
    async fn begin(&mut self, index: usize) -> Result<(), SendError> {
        let stream = &mut self.streams[index];
        stream.is_loaded = true;
        if stream.channel.is_none() {
            self.node.claims.is_loaded();
        }
        stream.begin(index, &self.terms).await?;
        self.node.ask_who_is_present(index);
        Ok(())
    }

    async fn deliver(
        &mut self,
        index: usize,
        id: EntryId,
        origin: Origin,
        sealed: &Sealed<'_>,
    ) -> Result<(), SendError> {
        let Some(channel) = &self.streams[index].channel else { return Ok(()) };
        let (number, sent) = (id.number(), sent_at(origin.sent_ms));
        // What was given up may come, too, in any order: others have it as well.
        if origin.node == self.node.id && channel.come_back(origin.serial, number, sent)? {
            return Ok(());
        }
        match sealed.open() {
            Ok(envelope) => {
                let permit = channel.reserve_for_theirs().await?;
                permit.put_theirs(&envelope, number, || sent)?;
                if let Some(change) = envelope.presence_change() {
                    self.node.hear_presence(index, origin.node, change);
                }
                Ok(())
            }
            Err(unsound) => {
                rationed!(warn, "an entry of the backplane is left out: {unsound}");
                Ok(())
            }
        }
    }

    /// Finds out who is present, and tells others, after this node was away; and what became
    /// of what it had sent.
    fn come_back_to(&self, index: usize) {
        self.node.probe(index);
        self.node.ask_who_is_present(index);
        self.node.announce_present_in(index);
    }

    /// Begins a term in a stream. Whoever has read beyond its head says what is lost.
    async fn begin_term(
        &mut self,
        index: usize,
        before: EntryId,
        head: EntryId,
        epoch: u64,
        id: EntryId,
    ) -> Result<(), SendError> {
        let stream = &mut self.streams[index];
        let Some(channel) = &stream.channel else { return Ok(()) };
        if before < head {
            let announced = self.node.announced_from(index);
            stream.skip(before, id.behind(), epoch, announced).await?;
            self.come_back_to(index);
            return Ok(());
        }
        if let Some(log) = channel.log() {
            log.with(|log| {
                log.begin_epoch_after(epoch, head.behind());
                log.skip_to(id.behind());
            });
        }
        if head < before {
            let (at, from) = stream.lost;
            let since = head.behind();
            // That it was said is lost, too.
            let from = if at > head { from.min(since) } else { since };
            self.node.announce(index, id.term, from);
        }
        tell(channel, Command::Epoch(epoch)).await
    }

    /// Tells clients that messages of earlier terms are lost, once in a term.
    async fn lose(
        &mut self,
        index: usize,
        id: EntryId,
        from: u64,
        epoch: u64,
    ) -> Result<(), SendError> {
        let stream = &mut self.streams[index];
        let Some(channel) = &stream.channel else { return Ok(()) };
        self.node.is_announced(index, id.term, from);
        let (at, before) = mem::replace(&mut stream.lost, (id, from));
        if at.term == id.term && before <= from {
            stream.lost.1 = before;
            return Ok(());
        }
        if let Some(log) = channel.log() {
            log.with(|log| log.lack_before(id.behind()));
        }
        tracing::error!(path = channel.path(), "the backplane has lost messages; clients are told");
        tell(channel, Command::Missing { from, why: Why::Epoch(epoch) }).await
    }
}
