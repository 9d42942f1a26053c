//! What is due in the channel of a path, and is done to its clients in a shard.

use std::mem;

use pode_core::frame::Close;
use tokio::task::yield_now;

use super::client::{Burst, Sent};
use super::envelope::{Audience, EVERYBODY, Order};
use super::path::{Due, Path};
use super::readiness::Place;
use super::shard::{SOCKETS_PER_TURN, Shard};
use crate::push::session::Disconnect;

impl Shard {
    /// Does what is due on a path, and tells whether anything was: then there
    /// may be more.
    pub(super) async fn deliver(&mut self, path: u32) -> bool {
        let Some(due) = self.paths[path as usize].next_due() else {
            self.tell_faults(path);
            return false;
        };
        match due {
            Due::Broadcast(burst) => {
                let places = 0..self.paths[path as usize].clients.capacity() as u32;
                self.send(path, places, &burst).await;
            }
            Due::Addressed(burst, addressed) => {
                let places = self.paths[path as usize].select(&addressed.0);
                self.send(path, places.into_iter(), &burst).await;
            }
            Due::Order(order) => self.obey(path, &order),
        }
        true
    }

    /// Writes messages to the clients in some slots of a path.
    async fn send(&mut self, path: u32, slots: impl Iterator<Item = u32>, burst: &Burst) {
        let Path { name, limits, clients, .. } = &mut self.paths[path as usize];
        let mut lost = Vec::new();
        for (count, slot) in (1..).zip(slots) {
            let Some(client) = clients.get_mut(slot as usize) else { continue };
            match client.send(burst, *limits) {
                Sent::All => {}
                Sent::Missed(messages) => {
                    tracing::debug!(path = name, messages, "a client reads too slowly for some");
                }
                Sent::Broken => lost.push(slot),
                Sent::TooSlow => {
                    tracing::info!(path = name, "cut off a client that reads too slowly");
                    client.close(&Close::TOO_SLOW, Disconnect::Lagged);
                    lost.push(slot);
                }
            }
            if count % SOCKETS_PER_TURN == 0 {
                yield_now().await;
            }
        }
        for slot in lost {
            let place = Place { path, slot };
            self.limit(place);
            self.advance(place);
        }
    }

    /// Tells those who broke a rule so: what was on its way to them, such as the
    /// answers to what they said before, is delivered.
    fn tell_faults(&mut self, path: u32) {
        for slot in mem::take(&mut self.paths[path as usize].at_fault) {
            let clients = &mut self.paths[path as usize].clients;
            if clients.get_mut(slot as usize).is_some_and(|client| client.tell_fault(false)) {
                self.advance(Place { path, slot });
            }
        }
    }

    /// Does what isn't sending.
    fn obey(&mut self, number: u32, order: &Order) {
        let path = &mut self.paths[number as usize];
        match order {
            Order::Join(audience, group) => path.join_group(audience, group),
            Order::Leave(audience, group) => path.leave_group(audience, group),
            Order::Find(audience, question) => question.answer(path.find(audience)),
            Order::Close(audience, close) => {
                let end = Disconnect::ByServer { code: close.code().unwrap_or_default() };
                self.say_goodbye(number, audience, close, end);
            }
            Order::Admit { client, arrival, missed } => {
                // It came before this.
                self.join_all();
                let path = &mut self.paths[number as usize];
                let (before, forgotten) = path.admit(client, *arrival, missed);
                if let Some(slot) = before {
                    self.replace(Place { path: number, slot });
                }
                if let Some(slot) = forgotten {
                    let place = Place { path: number, slot };
                    self.client(place).close(&Close::FORGOTTEN, Disconnect::Lagged);
                    self.limit(place);
                    self.advance(place);
                }
            }
            Order::Drain { share, close } => self.drain(number, *share, close),
            Order::Foreign => {}
        }
    }

    /// Closes a client whose id is somebody else's now.
    fn replace(&mut self, place: Place) {
        self.client(place).close(&Close::REPLACED, Disconnect::ByServer { code: 1008 });
        self.limit(place);
        self.advance(place);
    }

    /// Says goodbye to a share of a path's clients: to those who are let in and
    /// whose lot it is. Lots are as many in each part of the share, and nobody
    /// chooses one.
    fn drain(&mut self, path: u32, share: u32, close: &Close) {
        for slot in 0..self.paths[path as usize].clients.capacity() as u32 {
            let clients = &mut self.paths[path as usize].clients;
            let Some(client) = clients.get_mut(slot as usize) else { continue };
            // Serials that follow each other are far apart when multiplied by
            // the golden ratio.
            let lot = client.serial.wrapping_mul(0x9e37_79b9) / (u32::MAX / EVERYBODY + 1);
            if lot < share && client.is_admitted() {
                client.close_last(close, Disconnect::Stopped);
                let place = Place { path, slot };
                self.limit(place);
                self.advance(place);
            }
        }
    }

    fn say_goodbye(&mut self, path: u32, audience: &Audience, close: &Close, end: Disconnect) {
        for slot in self.paths[path as usize].select(audience) {
            let place = Place { path, slot };
            self.client(place).close_last(close, end);
            self.limit(place);
            self.advance(place);
        }
    }
}
