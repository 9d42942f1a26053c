//! The hub: one broadcast channel per signal path.
//!
//! A sender asks for [room](Channel::reserve) in the channel, then
//! [sends](Room::send). There is room while the channel's one [`Delivery`] has
//! fewer than the declared number of messages still to take. So a sender in a
//! loop is paced by the delivery, the delivery never lags, and **no message is
//! lost between the two**: a plain broadcast channel would overwrite what its
//! receiver has not read yet.
//!
//! The hub knows neither sockets nor clocks: who waits how long for room, and
//! what becomes of a message that was taken, is the run time's business.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Semaphore, SemaphorePermit, broadcast};

use crate::{Message, SendError};

/// The channels of a server, by path.
#[derive(Debug)]
pub struct Hub {
    channels: HashMap<&'static str, Channel>,
}

/// The sending side of one signal path.
#[derive(Debug)]
pub struct Channel {
    path: &'static str,
    sender: broadcast::Sender<Message>,
    /// One permit for each message that may still be sent before the delivery
    /// takes the next. Closed when the delivery has gone.
    room: Arc<Semaphore>,
}

/// A promise that the channel takes one more message.
///
/// Dropping it gives the room back.
#[derive(Debug)]
#[must_use = "room is held until a message is sent or this is dropped"]
pub struct Room<'channel> {
    channel: &'channel Channel,
    permit: SemaphorePermit<'channel>,
}

/// The receiving side of one signal path: takes each message once, in order.
///
/// When it is dropped, senders get [`SendError::Stopped`].
#[derive(Debug)]
pub struct Delivery {
    path: &'static str,
    receiver: broadcast::Receiver<Message>,
    room: Arc<Semaphore>,
    /// Whether a message was taken whose room is not free yet.
    holds_room: bool,
}

impl Hub {
    /// Makes a channel for each declared path and its capacity in messages,
    /// and the delivery of each.
    ///
    /// Capacities are brought into the range from 1 to
    /// [`MAX_CAPACITY_MESSAGES`]. Of a path that stands twice, the later
    /// channel is kept.
    pub fn new(declared: impl IntoIterator<Item = (&'static str, usize)>) -> (Hub, Vec<Delivery>) {
        let mut hub = Hub { channels: HashMap::new() };
        let mut deliveries = Vec::new();
        for (path, capacity_messages) in declared {
            let capacity_messages = capacity_messages.clamp(1, MAX_CAPACITY_MESSAGES);
            let (sender, receiver) = broadcast::channel(capacity_messages);
            let room = Arc::new(Semaphore::new(capacity_messages));
            hub.channels.insert(path, Channel { path, sender, room: Arc::clone(&room) });
            deliveries.push(Delivery { path, receiver, room, holds_room: false });
        }
        (hub, deliveries)
    }

    /// Returns the channel of a path.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownPath`] if this hub has none.
    pub fn channel(&self, path: &'static str) -> Result<&Channel, SendError> {
        self.channels.get(path).ok_or(SendError::UnknownPath { path })
    }

    /// Returns all channels, in no order.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }
}

/// The largest capacity of a channel. Each slot takes some 50 bytes from the
/// start, so this is far above what helps.
pub const MAX_CAPACITY_MESSAGES: usize = 1 << 20;

impl Channel {
    /// Returns the path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Waits until there is room for a message. Those who wait are served in
    /// the order they came.
    ///
    /// Cancel safe: dropped midway, nothing is held and a place in the queue
    /// is lost.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if the delivery has gone.
    pub async fn reserve(&self) -> Result<Room<'_>, SendError> {
        match self.room.acquire().await {
            Ok(permit) => Ok(Room { channel: self, permit }),
            Err(_) => Err(SendError::Stopped { path: self.path }),
        }
    }

    /// Takes room if there is some now.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is none, [`SendError::Stopped`] if the
    /// delivery has gone.
    pub fn try_reserve(&self) -> Result<Room<'_>, SendError> {
        match self.room.try_acquire() {
            Ok(permit) => Ok(Room { channel: self, permit }),
            Err(_) if self.room.is_closed() => Err(SendError::Stopped { path: self.path }),
            Err(_) => Err(SendError::Full { path: self.path }),
        }
    }
}

impl Room<'_> {
    /// Puts the message into the channel.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if the delivery closed or went meanwhile; the
    /// message may or may not have been taken.
    pub fn send(self, message: Message) -> Result<(), SendError> {
        let Channel { path, sender, room } = self.channel;
        let stopped = SendError::Stopped { path };
        if sender.send(message).is_err() {
            return Err(stopped);
        }
        // The delivery gives this room back when it has taken the message.
        self.permit.forget();
        // A delivery that closes takes what was sent before; only now is it
        // known that this was.
        if room.is_closed() { Err(stopped) } else { Ok(()) }
    }
}

impl Delivery {
    /// Returns the path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Waits for the next message, and frees the room of the one before it.
    ///
    /// A message thus holds its room until the caller comes back for more: the
    /// pace of deliveries is the pace of senders. `None` when the hub has gone
    /// and all it sent was taken. Cancel safe.
    pub async fn next(&mut self) -> Option<Message> {
        self.free_room();
        let message = match self.receiver.recv().await {
            Ok(message) => message,
            Err(RecvError::Closed) => return None,
            Err(RecvError::Lagged(lost)) => self.overtaken(lost),
        };
        self.holds_room = true;
        Some(message)
    }

    /// Takes the next message if there is one now, as [`next`](Self::next) does.
    pub fn try_next(&mut self) -> Option<Message> {
        self.free_room();
        let message = match self.receiver.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            Err(TryRecvError::Lagged(lost)) => self.overtaken(lost),
        };
        self.holds_room = true;
        Some(message)
    }

    /// Refuses further sends with [`SendError::Stopped`]; every message whose
    /// sender was told that it was sent can still be taken.
    pub fn close(&mut self) {
        self.room.close();
    }

    fn overtaken(&self, lost: u64) -> ! {
        unreachable!(
            "{lost} messages overtook the delivery of `{}`, though senders need room",
            self.path
        )
    }

    fn free_room(&mut self) {
        if std::mem::take(&mut self.holds_room) {
            self.room.add_permits(1);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_path(capacity_messages: usize) -> (Hub, Delivery) {
        let (hub, mut deliveries) = Hub::new([("/", capacity_messages)]);
        (hub, deliveries.remove(0))
    }

    #[tokio::test]
    async fn a_sender_in_a_loop_is_paced_and_nothing_is_lost() {
        for capacity_messages in [1, 3, 64] {
            let (hub, mut delivery) = one_path(capacity_messages);
            let sender = tokio::spawn(async move {
                for number in 0..1_000 {
                    let room = hub.channel("/").unwrap().reserve().await.unwrap();
                    room.send(Message::json(&number).unwrap()).unwrap();
                }
            });
            for number in 0..1_000 {
                assert_eq!(delivery.next().await.unwrap().payload(), number.to_string());
            }
            sender.await.unwrap();
            assert!(delivery.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn room_ends_at_the_capacity_and_comes_back_with_the_next_message() {
        // Not a power of two: the channel has four slots, the sender three.
        let (hub, mut delivery) = one_path(3);
        let channel = hub.channel("/").unwrap();
        for _ in 0..3 {
            channel.try_reserve().unwrap().send(Message::text("")).unwrap();
        }
        assert!(matches!(channel.try_reserve(), Err(SendError::Full { path: "/" })));
        delivery.next().await.unwrap();
        assert!(
            matches!(channel.try_reserve(), Err(SendError::Full { .. })),
            "the first is still held"
        );
        delivery.next().await.unwrap();
        drop(channel.try_reserve().unwrap());
        channel.try_reserve().unwrap().send(Message::text("")).unwrap();
        assert!(matches!(channel.try_reserve(), Err(SendError::Full { .. })));
    }

    #[tokio::test]
    async fn senders_are_told_when_the_delivery_has_gone() {
        let (hub, delivery) = one_path(1);
        let channel = hub.channel("/").unwrap();
        let room = channel.try_reserve().unwrap();
        drop(delivery);
        assert!(matches!(room.send(Message::text("")), Err(SendError::Stopped { path: "/" })));
        assert!(matches!(channel.try_reserve(), Err(SendError::Stopped { .. })));
        assert!(matches!(channel.reserve().await, Err(SendError::Stopped { .. })));
    }

    #[tokio::test]
    async fn a_closed_delivery_still_gives_what_was_sent() {
        let (hub, mut delivery) = one_path(4);
        let channel = hub.channel("/").unwrap();
        let late = channel.try_reserve().unwrap();
        channel.try_reserve().unwrap().send(Message::text("sent")).unwrap();
        delivery.close();
        assert!(matches!(late.send(Message::text("late")), Err(SendError::Stopped { .. })));
        assert_eq!(delivery.try_next().unwrap().payload(), "sent");
    }

    #[test]
    fn an_undeclared_path_is_named() {
        let (hub, _delivery) = one_path(1);
        assert!(matches!(hub.channel("/chat"), Err(SendError::UnknownPath { path: "/chat" })));
    }
}
