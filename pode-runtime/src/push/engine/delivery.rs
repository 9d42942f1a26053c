//! Delivery: takes envelopes from the channel of a path and applies them to its
//! clients in a shard.

use std::sync::PoisonError;

use pode_core::frame::Close;
use pode_core::hub::Position;
use tokio::task::yield_now;

use super::client::SendOutcome;
use super::envelope::{Audience, Command, EVERYBODY, Hello, Posted};
use super::form::{Batch, Form};
use super::path::{Due, DueAnswer, Path};
use super::readiness::{SlotId, Source};
use super::shard::{Shard, SlotKey, Turns};
use crate::base::log::ration::rationed;
use crate::push::session::DisconnectReason;

impl Shard {
    /// Handles what is due on a path. Returns whether anything was: then more
    /// may be due.
    pub(super) async fn deliver(&mut self, path: u32) -> bool {
        let due = self.paths[path as usize].next_due();
        let is_all = due.is_none();
        match due {
            Some(Due::Messages(batch, envelope)) => {
                let audience = envelope.content().and_then(|content| content.audience);
                match batch.in_form(Form::Plain).joined.is_empty() {
                    true => self.send::<true>(path, audience, &batch).await,
                    false => self.send::<false>(path, audience, &batch).await,
                }
            }
            Some(Due::Command(command)) => self.obey(path, &command).await,
            None => {}
        }
        while let Some(answer) = self.paths[path as usize].next_answer(is_all) {
            self.answer(path, &answer);
        }
        !is_all
    }

    /// Writes messages to the clients of a path, or to an audience of them; removals
    /// alone only to those that are told of them.
    async fn send<const ONLY_REMOVALS: bool>(
        &mut self,
        path: u32,
        audience: Option<&Audience>,
        batch: &Batch,
    ) {
        let Path { name, policy, clients, index, .. } = &mut self.paths[path as usize];
        let mut lost = Vec::new();
        let mut turns = Turns::default();
        let mut selected = audience.map(|audience| index.select(audience, clients));
        let mut next = 0;
        while let Some(slot) = match &mut selected {
            Some(slots) => slots.next(),
            None => clients.first_from(next),
        } {
            next = slot + 1;
            if ONLY_REMOVALS && !clients[slot].form().is_told() {
                continue;
            }
            match clients[slot].send(batch, policy) {
                SendOutcome::All => {}
                SendOutcome::Behind => {
                    self.readiness.again(Source::Client(SlotId { path, slot }));
                }
                SendOutcome::Missed(messages) => {
                    tracing::debug!(path = name, messages, "a client reads too slowly for some");
                }
                SendOutcome::Broken => lost.push(slot),
                SendOutcome::SlowConsumer => {
                    rationed!(info, path = name, "cut off a client that reads too slowly");
                    clients[slot].close(&Close::TOO_SLOW, DisconnectReason::Lagged);
                    lost.push(slot);
                }
            }
            if turns.is_over() {
                yield_now().await;
            }
        }
        drop(selected);
        if let (Some(handled), Some(client)) = (batch.handled, audience) {
            for slot in self.paths[path as usize].select(client) {
                self.client(SlotId { path, slot }).was_told(handled);
            }
        }
        for slot in lost {
            let place = SlotId { path, slot };
            self.limit(place);
            self.advance(place);
        }
    }

    /// Tells a client that its messages are handled, and closes it if it broke a rule.
    fn answer(&mut self, path: u32, answer: &DueAnswer) {
        let place = SlotId { path, slot: answer.slot };
        if !self.is_here(SlotKey { place, arrival: answer.arrival }) {
            return;
        }
        let live = self.paths[path as usize].live;
        let client = self.client(place);
        client.acknowledge(answer.handled);
        if client.close_for_fault(false, live) {
            self.unlist(place);
        }
        self.advance(place);
    }

    /// Carries out a command.
    async fn obey(&mut self, number: u32, command: &Command) {
        let path = &mut self.paths[number as usize];
        match command {
            Command::Join(audience, group) => path.join_group(audience, group),
            Command::Leave(audience, group) => path.leave_group(audience, group),
            Command::Presence(change) => self.change_presence(number, change).await,
            Command::Find(audience, query) => query.answer(path.find(audience)),
            Command::SharePermit(client, asker) => {
                let slot = path.select(client).into_iter().next();
                if let Some(permit) = slot.and_then(|it| path.clients[it].subscriber.share_permit())
                    && let Some(asker) = asker.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    // It may no longer wait.
                    let _ = asker.send(permit);
                }
            }
            Command::Receive { client, sequence, message } => {
                if let Some(slot) = path.select(client).into_iter().next()
                    && path.clients[slot].hears_events_of(sequence)
                    && let Some(Posted { text, asker }) =
                        message.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    let received = path.clients[slot].receive_posted(text);
                    self.advance(SlotId { path: number, slot });
                    // Who sent it may have gone.
                    let _ = asker.send(received);
                }
            }
            Command::Close(audience, close) => {
                let end = DisconnectReason::ByServer { code: close.code().unwrap_or_default() };
                self.send_close(number, audience, close, end).await;
            }
            Command::Admit { client, arrival, since, hello } => {
                // The client's join came before this command.
                self.join_all();
                let (admitted, before) = self.paths[number as usize].admit(client, *arrival);
                if let Some(slot) = before {
                    let sequence = hello.as_ref().and_then(|hello| hello.sequence);
                    self.replace(SlotId { path: number, slot }, sequence);
                }
                if let Some(slot) = admitted {
                    self.begin(SlotId { path: number, slot }, *since, hello.as_ref());
                }
            }
            #[cfg(feature = "redis")]
            Command::Epoch(epoch) => self.tell_epoch(number, *epoch).await,
            #[cfg(feature = "redis")]
            Command::Missing { from, why } => self.tell_missing(number, *from, *why).await,
            Command::Drain { share, code, reason } => {
                self.drain(number, *share, *code, reason).await;
            }
            #[cfg(feature = "test")]
            Command::WhenHandled(handled) => self.tell_when_handled(number, handled),
            #[cfg(feature = "test")]
            Command::Mark(client, marker) => {
                for slot in self.paths[number as usize].select(client) {
                    self.client(SlotId { path: number, slot }).mark(marker);
                    self.advance(SlotId { path: number, slot });
                }
            }
        }
    }

    /// Has each client of a path keep a sender until its messages are handled.
    #[cfg(feature = "test")]
    fn tell_when_handled(&mut self, path: u32, handled: &tokio::sync::mpsc::Sender<()>) {
        let mut next = 0;
        while let Some(slot) = self.paths[path as usize].clients.first_from(next) {
            next = slot + 1;
            self.client(SlotId { path, slot }).tell_when_handled(handled);
        }
    }

    /// Begins to deliver to a client that was admitted.
    fn begin(&mut self, place: SlotId, since: Option<Position>, hello: Option<&Hello>) {
        match self.paths[place.path as usize].begin(place.slot, since, hello) {
            Ok(()) => self.readiness.again(Source::Client(place)),
            Err(_) => {
                let end = DisconnectReason::ByServer { code: 4410 };
                self.client(place).close(&Close::FORGOTTEN, end);
                self.limit(place);
                self.advance(place);
            }
        }
    }

    /// Closes a client whose id now belongs to another connection, with messages of this
    /// sequence.
    fn replace(&mut self, place: SlotId, sequence: Option<[u8; 16]>) {
        let client = self.client(place);
        let close = client.replaced_by(sequence);
        let code = close.code().unwrap_or_default();
        client.close(&close, DisconnectReason::ByServer { code });
        self.limit(place);
        self.advance(place);
    }

    /// Closes a share of a path's admitted clients: those whose lot lies within
    /// it.
    async fn drain(&mut self, path: u32, share: u32, code: u16, reason: &str) {
        let Path { live, log, .. } = &self.paths[path as usize];
        let live = *live;
        let epoch = log.as_ref().map(|log| log.with(|log| log.position().epoch));
        let close_at = |number| {
            let position = epoch.map(|epoch| format!("; resume={}", Position { epoch, number }));
            Close::own(code, format!("{reason}{}", position.unwrap_or_default()))
                .unwrap_or(Close::STOPPING)
        };
        // The same for all who are live.
        let close_live = close_at(live);
        self.visit(path, |shard, place| {
            let client = shard.client(place);
            if lot(path, client.subscriber.arrival) < share && client.is_admitted() {
                // It comes back for the rest.
                let behind = client.behind().map(|behind| close_at(behind.number));
                client.stop_reading_log();
                let close = behind.as_ref().unwrap_or(&close_live);
                shard.end(place, close, DisconnectReason::Stopped);
            }
        })
        .await;
    }

    /// Does something for each client of a path.
    pub(super) async fn visit(&mut self, path: u32, mut with: impl FnMut(&mut Shard, SlotId)) {
        let mut turns = Turns::default();
        let mut next = 0;
        while let Some(slot) = self.paths[path as usize].clients.first_from(next) {
            next = slot + 1;
            with(self, SlotId { path, slot });
            if turns.is_over() {
                yield_now().await;
            }
        }
    }

    async fn send_close(
        &mut self,
        path: u32,
        audience: &Audience,
        close: &Close,
        end: DisconnectReason,
    ) {
        let mut turns = Turns::default();
        for slot in self.paths[path as usize].select(audience) {
            self.end(SlotId { path, slot }, close, end);
            if turns.is_over() {
                yield_now().await;
            }
        }
    }
}

/// Returns the share at which a client is closed. Lots are evenly distributed
/// among the clients of a path, and among paths of few clients, and no client
/// can choose its own.
fn lot(path: u32, arrival: u64) -> u32 {
    // Consecutive numbers are far apart when multiplied by the golden ratio.
    let number = (arrival as u32).wrapping_add(path).wrapping_add(1);
    number.wrapping_mul(0x9e37_79b9) / (u32::MAX / EVERYBODY + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_clients_has_a_tenth_of_the_lots() {
        let of_one_path = (0..1_000).map(|arrival| lot(3, arrival)).collect::<Vec<_>>();
        let first_of_each = (0..1_000).map(|path| lot(path, 0)).collect::<Vec<_>>();
        for lots in [of_one_path, first_of_each] {
            for tenth in 0..10 {
                let share = EVERYBODY / 10 * tenth..EVERYBODY / 10 * (tenth + 1);
                let within = lots.iter().filter(|lot| share.contains(lot)).count();
                assert!((95..=105).contains(&within), "{within} of 1,000 in tenth {tenth}");
            }
        }
        // The first client isn't closed before the others.
        assert!(lot(0, 0) > EVERYBODY / 4);
    }
}
