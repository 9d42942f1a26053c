//! The hub: one broadcast channel per signal path.
//!
//! (A family of paths has several, over which its paths are
//! [spread](Hub::channel_of).)
//!
//! A sender [reserves](Channel::reserve) a permit of the channel, then
//! [sends](Permit::send). Permits are available while fewer than the declared
//! number of messages still wait for any [`Receiver`] of the path. So the
//! slowest receiver paces a sender in a loop, no receiver lags, and **no
//! message is lost between the two**: a plain broadcast channel would overwrite
//! what a receiver has not read yet.
//!
//! A channel with a [`Log`] numbers its messages and keeps them for a while. During
//! a hand-over between two processes, one of them numbers for both: in the other one
//! a channel [follows](Channel::follow), so its messages go there first and come back
//! in the order that both share. Where many processes are one server, all channels
//! follow a [carrier](Channel::be_carried), from the start.
//!
//! The hub knows neither sockets nor clocks: the run time decides how long a
//! sender waits for a permit, and what happens to a received message.
//!
//! `receiver` takes messages out of a channel, `numbering` numbers them, `hand_over`
//! does so for two processes, `carried` for any number of them, each channel in its
//! `role`, and [`log`](Log) keeps them, each at its [`Position`]. [`presence`](Presence)
//! is who is there.

mod carried;
mod hand_over;
mod log;
mod numbering;
mod position;
mod presence;
mod receiver;
mod role;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};

pub use self::log::{
    ENTRY_BYTES, Frames, KEY_BYTES, Kept, Log, LogBounds, LogEntry, LogGap, PATH_BYTES,
    STATE_BYTES, Snapshot, Stored, Wanted, Weigh,
};
pub use self::numbering::SharedLog;
pub use self::position::{Position, PositionError};
pub use self::presence::{Attending, Presence, PresenceChange, PresenceNews, Present, Stay};
use self::receiver::Shared;
pub use self::receiver::{Receiver, ReceiverSource};
pub use self::role::{Arrival, BACKLOG, Notice};
use crate::error::SendError;
use crate::message::Message;

/// What a channel carries.
pub trait Parcel: Clone + Send + 'static {
    /// Says for whom a message is that isn't for everyone at its path.
    type Audience: Weigh + Clone + fmt::Debug + Send + Sync + 'static;

    /// Returns the message that a log keeps; `None` for what is no message, and
    /// gets no number.
    fn log_entry(&self) -> Option<LogEntry<'_, Self::Audience>>;

    /// Returns the change of who is present, if it is one: that has a number as a message
    /// has, but isn't kept.
    fn presence_change(&self) -> Option<&PresenceChange> {
        None
    }
}

impl Parcel for Message {
    /// It is for everyone.
    type Audience = Infallible;

    fn log_entry(&self) -> Option<LogEntry<'_, Infallible>> {
        Some(LogEntry { path: None, audience: None, key: None, frame: self.frame() })
    }
}

/// The channels of a server, by path. They carry [`Message`]s, or a type that
/// adds to them.
#[derive(Debug)]
pub struct Hub<T: Parcel = Message> {
    /// At least one for each path.
    channels: BTreeMap<&'static str, Vec<Channel<T>>>,
    /// Notified when there is something for another process.
    noticed: Arc<Notify>,
}

/// The sending side of one signal path.
#[derive(Clone, Debug)]
pub struct Channel<T: Parcel = Message> {
    path: &'static str,
    /// Its index among the channels of its path.
    index: usize,
    sender: broadcast::Sender<Slot<T>>,
    /// One permit for each message that may still be sent. Closed when no
    /// receiver is left.
    permits: Arc<Semaphore>,
    capacity_messages: usize,
    /// Absent if messages have no numbers; then senders take no lock.
    log: Option<Arc<SharedLog<T>>>,
    noticed: Arc<Notify>,
}

/// Capacity for one more message in the channel.
///
/// Dropping it returns the capacity.
#[derive(Debug)]
#[must_use = "the permit is held until a message is sent or this is dropped"]
pub struct Permit<'channel, T: Parcel = Message> {
    channel: &'channel Channel<T>,
    permit: OwnedSemaphorePermit,
}

/// A message in the channel.
///
/// The channel drops it when the last receiver has read it, so the permit
/// returns when the last receiver has dropped its copy.
#[derive(Clone, Debug)]
struct Slot<T> {
    message: T,
    /// The number of the next message; 0 if messages have none.
    next: u64,
    permit: Arc<OwnedSemaphorePermit>,
}

impl<T: Parcel> Hub<T> {
    /// Makes a channel without a log for each declared path and its capacity in
    /// messages, and a first receiver of each.
    ///
    /// Capacities are clamped to the range from 1 (with a log, 2) to
    /// [`MAX_CAPACITY_MESSAGES`].
    /// A path that is declared several times has several channels.
    pub fn new(
        declared: impl IntoIterator<Item = (&'static str, usize)>,
    ) -> (Hub<T>, Vec<Receiver<T>>) {
        Hub::with_logs(declared.into_iter().map(|(path, capacity)| (path, capacity, None)))
    }

    /// As [`new`](Self::new), with logs.
    pub fn with_logs(
        declared: impl IntoIterator<Item = (&'static str, usize, Option<Log<T::Audience>>)>,
    ) -> (Hub<T>, Vec<Receiver<T>>) {
        let noticed = Arc::new(Notify::new());
        let mut hub = Hub { channels: BTreeMap::<_, Vec<_>>::new(), noticed };
        let mut receivers = Vec::new();
        for (path, capacity_messages, log) in declared {
            // Half of it is another process's during a hand-over.
            let least = if log.is_some() { 2 } else { 1 };
            let capacity_messages = capacity_messages.clamp(least, MAX_CAPACITY_MESSAGES);
            let (sender, receiver) = broadcast::channel(capacity_messages);
            let permits = Arc::new(Semaphore::new(capacity_messages));
            let log = log.map(|log| Arc::new(SharedLog::new(log)));
            let (permits_too, log_too) = (Arc::clone(&permits), log.clone());
            let shared = Shared {
                permits: permits_too,
                capacity_messages,
                sender: sender.downgrade(),
                log: log_too,
            };
            let channels = hub.channels.entry(path).or_default();
            channels.push(Channel {
                path,
                index: channels.len(),
                sender,
                permits,
                capacity_messages,
                log,
                noticed: Arc::clone(&hub.noticed),
            });
            receivers.push(Receiver::new(path, receiver, Arc::new(shared)));
        }
        (hub, receivers)
    }

    /// Returns the channel of a path; the first, if it has several.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownPath`] if this hub has none.
    pub fn channel(&self, path: &'static str) -> Result<&Channel<T>, SendError> {
        self.channels_of(path).map(|channels| &channels[0])
    }

    /// Returns the channel that carries one path of a family.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownPath`] if this hub doesn't know the family.
    pub fn channel_of(&self, family: &'static str, path: &str) -> Result<&Channel<T>, SendError> {
        self.channels_of(family).map(|channels| &channels[spread(path, channels.len())])
    }

    /// Returns the channels of a path, at least one.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownPath`] if this hub has none.
    pub fn channels_of(&self, path: &'static str) -> Result<&[Channel<T>], SendError> {
        self.channels.get(path).map(Vec::as_slice).ok_or(SendError::UnknownPath { path })
    }

    /// Returns all channels, in the order of their paths. Whoever waits for
    /// capacity in several must do so in one order: two that hold what the other
    /// waits for would wait for ever.
    pub fn channels(&self) -> impl Iterator<Item = &Channel<T>> {
        self.channels.values().flatten()
    }

    /// Returns all paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.channels.keys().copied()
    }

    /// Waits until a channel has a [`Notice`] for another process; returns at once
    /// if one came since the last wait. For one waiter at a time. Cancel safe.
    pub async fn noticed(&self) {
        self.noticed.notified().await;
    }
}

/// Finds the channel of a family that carries a path: always the same one, in
/// every build, since two processes that hand over must agree. A change of it
/// is a change of their protocol.
///
/// The hash is FNV-1a of 64 bits. Its low bits depend only on the low bits of
/// each byte, so the high ones are folded in.
pub fn spread(path: &str, channels: usize) -> usize {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let hash = path.bytes().fold(OFFSET_BASIS, step);
    ((hash ^ hash >> 32) % channels as u64) as usize
}

/// The largest capacity of a channel. Each slot takes some 50 bytes from the
/// start, so this is far more than is useful.
pub const MAX_CAPACITY_MESSAGES: usize = 1 << 20;

impl<'channel, T: Parcel> Permit<'channel, T> {
    /// Returns the channel.
    pub fn channel(&self) -> &'channel Channel<T> {
        self.channel
    }
}

impl<T: Parcel> Channel<T> {
    /// Returns the path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Returns its index among the channels of its path, counting from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Waits for a permit to send one message. Waiters are served in the order
    /// they came.
    ///
    /// Cancel safe: a dropped future holds nothing and loses its place in the
    /// queue.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if no receiver is left.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError> {
        match Arc::clone(&self.permits).acquire_owned().await {
            Ok(permit) => Ok(Permit { channel: self, permit }),
            Err(_) => Err(SendError::Stopped { path: self.path }),
        }
    }

    /// Takes a permit if one is available now.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if none is available, [`SendError::Stopped`] if no
    /// receiver is left.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, SendError> {
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => Ok(Permit { channel: self, permit }),
            Err(_) if self.permits.is_closed() => Err(SendError::Stopped { path: self.path }),
            Err(_) => Err(SendError::Full { path: self.path }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_path(capacity_messages: usize) -> (Hub, Receiver) {
        let (hub, mut receivers) = Hub::new([("/", capacity_messages)]);
        (hub, receivers.remove(0))
    }

    /// So that two that wait for all of them can't block each other.
    #[test]
    fn channels_come_in_the_order_of_their_paths() {
        let (hub, _receivers) = Hub::<Message>::new(["/c", "/a", "/b", "/a"].map(|path| (path, 1)));
        let paths: Vec<_> = hub.channels().map(Channel::path).collect();
        assert_eq!(paths, ["/a", "/a", "/b", "/c"]);
    }

    #[tokio::test]
    async fn a_sender_in_a_loop_is_paced_and_nothing_is_lost() {
        for capacity_messages in [1, 3, 64] {
            let (hub, mut receiver) = one_path(capacity_messages);
            let sender = tokio::spawn(async move {
                for number in 0..1_000 {
                    let permit = hub.channel("/").unwrap().reserve().await.unwrap();
                    permit.send(Message::json(&number).unwrap()).unwrap();
                }
            });
            for number in 0..1_000 {
                assert_eq!(receiver.next().await.unwrap().payload(), number.to_string().as_bytes());
            }
            sender.await.unwrap();
            assert!(receiver.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn room_ends_at_the_capacity_and_comes_back_with_the_next_message() {
        // Not a power of two: the channel has four slots, the sender three.
        let (hub, mut receiver) = one_path(3);
        let channel = hub.channel("/").unwrap();
        for _ in 0..3 {
            channel.try_reserve().unwrap().send(Message::text("")).unwrap();
        }
        assert!(matches!(channel.try_reserve(), Err(SendError::Full { path: "/" })));
        receiver.next().await.unwrap();
        assert!(
            matches!(channel.try_reserve(), Err(SendError::Full { .. })),
            "the first is still held"
        );
        receiver.next().await.unwrap();
        drop(channel.try_reserve().unwrap());
        channel.try_reserve().unwrap().send(Message::text("")).unwrap();
        assert!(matches!(channel.try_reserve(), Err(SendError::Full { .. })));
    }

    #[tokio::test]
    async fn each_delivery_takes_everything_and_the_slowest_sets_the_pace() {
        let (hub, mut first) = one_path(2);
        let channel = hub.channel("/").unwrap();
        let source = first.source();
        let send =
            |payload| channel.try_reserve().map(|permit| permit.send(Message::text(payload)));
        send("before").unwrap().unwrap();
        let mut second = source.receiver().unwrap();
        let unread = source.receiver().unwrap();
        send("after").unwrap().unwrap();
        assert_eq!(first.next().await.unwrap().payload(), b"before");
        assert_eq!(first.next().await.unwrap().payload(), b"after");
        assert!(first.try_next().is_none());
        drop(unread);
        send("third").unwrap().unwrap();
        assert!(matches!(send("no room"), Err(SendError::Full { .. })), "one is behind");
        assert_eq!(second.next().await.unwrap().payload(), b"after");
        assert_eq!(second.next().await.unwrap().payload(), b"third");
        drop(first);
        send("fourth").unwrap().unwrap();
        drop(second);
        assert!(matches!(channel.try_reserve(), Err(SendError::Stopped { .. })));
        assert!(source.receiver().is_none());
    }

    #[tokio::test]
    async fn a_delivery_that_waits_is_woken() {
        let (hub, mut receiver) = one_path(1);
        assert!(receiver.try_next().is_none());
        let waiting =
            tokio::spawn(async move { receiver.next().await.unwrap().payload().to_owned() });
        tokio::task::yield_now().await;
        hub.channel("/").unwrap().try_reserve().unwrap().send(Message::text("now")).unwrap();
        assert_eq!(waiting.await.unwrap(), b"now");
    }

    #[tokio::test]
    async fn senders_are_told_when_the_delivery_has_gone() {
        let (hub, receiver) = one_path(1);
        let channel = hub.channel("/").unwrap();
        let permit = channel.try_reserve().unwrap();
        drop(receiver);
        assert!(matches!(permit.send(Message::text("")), Err(SendError::Stopped { path: "/" })));
        assert!(matches!(channel.try_reserve(), Err(SendError::Stopped { .. })));
        assert!(matches!(channel.reserve().await, Err(SendError::Stopped { .. })));
    }

    #[tokio::test]
    async fn a_closed_delivery_still_gives_what_was_sent() {
        let (hub, mut receiver) = one_path(4);
        let channel = hub.channel("/").unwrap();
        let late = channel.try_reserve().unwrap();
        channel.try_reserve().unwrap().send(Message::text("sent")).unwrap();
        receiver.close();
        assert!(matches!(late.send(Message::text("late")), Err(SendError::Stopped { .. })));
        assert_eq!(receiver.try_next().unwrap().payload(), b"sent");
    }

    #[tokio::test]
    async fn a_path_of_a_family_has_one_of_its_channels() {
        let (hub, mut receivers) = Hub::new([("/rooms/:room", 4); 3]);
        for room in 0..30 {
            let path = format!("/rooms/{room}");
            let permit = hub.channel_of("/rooms/:room", &path).unwrap().try_reserve().unwrap();
            permit.send(Message::text(&path)).unwrap();
            let receiver = &mut receivers[spread(&path, 3)];
            assert_eq!(receiver.try_next().unwrap().payload(), path.as_bytes());
        }
        assert!(receivers.iter_mut().all(|receiver| receiver.try_next().is_none()));
        assert_eq!(hub.channels().count(), 3);
    }

    #[test]
    fn a_path_has_the_same_channel_in_every_build() {
        let channels = ["/rooms/1", "/rooms/2", "/rooms/ü", ""].map(|path| spread(path, 1000));
        assert_eq!(channels, [187, 830, 179, 945]);
    }

    #[test]
    fn the_paths_of_a_family_are_spread_evenly() {
        for channels in [2, 3, 8, 16, 64] {
            let paths = 1000 * channels;
            let mut counts = vec![0; channels];
            for room in 0..paths {
                counts[spread(&format!("/rooms/{room}"), channels)] += 1;
            }
            assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn an_undeclared_path_is_named() {
        let (hub, _delivery) = one_path(1);
        assert!(matches!(hub.channel("/chat"), Err(SendError::UnknownPath { path: "/chat" })));
    }
}
