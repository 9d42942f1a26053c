//! How a shard closes clients: with which patience, and all of them at its end.

use std::time::Duration;

use pode_core::frame::Close;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::client::Client;
use super::path::Path;
use super::policy::SubscriberPolicy;
use super::readiness::SlotId;
use super::shard::{Shard, SlotKey, Turns};
use super::shrink::shrink;
use crate::push::session::DisconnectReason;

/// How long a client may take to accept a close frame and to answer it.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may do nothing after its close frame when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

impl Shard {
    /// Sets the deadline of a client that is being closed.
    pub(super) fn limit(&mut self, place: SlotId) {
        self.unlist(place);
        let time = self.stopping.unwrap_or(CLOSE_TIMEOUT);
        let client = self.client(place);
        let id = SlotKey { place, arrival: client.subscriber.arrival };
        let taken = client.taken();
        self.closing.push_back((Instant::now() + time, id, taken));
    }

    /// Has a client no longer be found by its id and groups, if it is being
    /// closed.
    pub(super) fn unlist(&mut self, place: SlotId) {
        let Path { clients, index, .. } = &mut self.paths[place.path as usize];
        let client = &clients[place.slot];
        if !client.is_open() {
            index.leave(place.slot, &client.subscriber, clients);
        }
    }

    pub(super) fn drop_overdue(&mut self) {
        let now = Instant::now();
        while let Some(&(by, id, taken)) = self.closing.front()
            && by <= now
        {
            self.closing.pop_front();
            shrink!(self.closing);
            if !self.is_here(id) {
                continue;
            }
            let client = self.client(id.place);
            let moves = client.taken() != taken || client.is_handled();
            if self.stopping.is_some() && moves {
                // It has as long as the stop may take.
                self.limit(id.place);
            } else if self.close_for_fault(id.place) {
                // The messages that it should get first take too long.
                self.limit(id.place);
                self.advance(id.place);
            } else {
                // At a stop, what the system still keeps may reach the client.
                if self.stopping.is_none() {
                    self.client(id.place).reset();
                }
                self.remove(id.place);
            }
        }
    }

    fn close_for_fault(&mut self, place: SlotId) -> bool {
        let live = self.paths[place.path as usize].live;
        self.client(place).close_for_fault(true, live)
    }

    /// Closes clients that exceeded the idle timeout. Each path is checked four
    /// times per timeout, at most once a second.
    pub(super) async fn close_idle(&mut self, beat: u32) {
        let mut turns = Turns::default();
        for path in 0..self.paths.len() as u32 {
            let Path { policy: SubscriberPolicy { idle_timeout, .. }, clients, .. } =
                &self.paths[path as usize];
            let period = (idle_timeout.as_secs() / 4).max(1) as u32;
            if idle_timeout.is_zero() || !beat.is_multiple_of(period) {
                continue;
            }
            let is_idle = |slot: &u32| clients[*slot].is_idle_for(*idle_timeout);
            let idle: Vec<_> = clients.taken().filter(is_idle).collect();
            for slot in idle {
                self.end(
                    SlotId { path, slot },
                    &Close::IDLE,
                    DisconnectReason::ByServer { code: 1000 },
                );
                if turns.is_over() {
                    yield_now().await;
                }
            }
        }
    }

    /// Closes a client after its queued messages.
    pub(super) fn end(&mut self, place: SlotId, close: &Close, end: DisconnectReason) {
        let live = self.paths[place.path as usize].live;
        self.client(place).close_last(close, end, live);
        self.limit(place);
        self.advance(place);
    }

    /// Delivers what was sent, then closes all clients.
    pub(super) async fn stop(&mut self, deadline: Instant, abandoned: impl Future<Output = ()>) {
        for number in 0..self.paths.len() {
            self.paths[number].close();
            while self.deliver(number as u32).await {}
        }
        self.close_all(Client::stop, STOP_TIMEOUT, deadline, abandoned).await;
    }

    /// Closes all clients and waits for their close frames; drops those that do
    /// nothing for as long as `patience`, and those that are left at the deadline
    /// or when the stop is abandoned.
    pub(super) async fn close_all(
        &mut self,
        send_close: impl Fn(&mut Client, u64),
        patience: Duration,
        deadline: Instant,
        abandoned: impl Future<Output = ()>,
    ) {
        // Clients that joined before get the close frame, too.
        self.join_all();
        self.stopping = Some(patience);
        // All deadlines are set again.
        self.closing.clear();
        let mut turns = Turns::default();
        for path in 0..self.paths.len() as u32 {
            let mut next = 0;
            while let Some(slot) = self.paths[path as usize].clients.first_from(next) {
                next = slot + 1;
                let place = SlotId { path, slot };
                let live = self.paths[path as usize].live;
                send_close(self.client(place), live);
                self.advance(place);
                if self.paths[path as usize].clients.get(slot).is_some() {
                    self.limit(place);
                }
                if turns.is_over() {
                    yield_now().await;
                }
            }
        }
        let all_gone = async {
            while self.clients > 0 {
                let event = self.next_event().await;
                self.handle(event).await;
            }
        };
        tokio::select! {
            // First, so that close frames from clients are read even after the
            // deadline.
            biased;
            () = all_gone => {}
            () = abandoned => {}
            () = sleep_until(deadline) => {}
        }
        // Messages of these are still being handled.
        for path in 0..self.paths.len() as u32 {
            let mut next = 0;
            while let Some(slot) = self.paths[path as usize].clients.first_from(next) {
                next = slot + 1;
                if self.close_for_fault(SlotId { path, slot }) {
                    self.advance(SlotId { path, slot });
                }
            }
        }
        self.drop_all();
    }

    pub(super) fn drop_all(&mut self) {
        self.paths.iter_mut().for_each(Path::clear);
        self.clients = 0;
    }
}
