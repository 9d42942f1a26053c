//! Numbering: how the messages of a channel with a log get their numbers.
//!
//! Usually here, at the call. While two processes hand over, one of them is the
//! leader and numbers for both; what it has numbered waits in a backlog for the
//! other one. In that one, the follower, channels are diverted: senders find that
//! messages go elsewhere, and only what comes back is published.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::{Channel, Log, LogGap, Parcel, Permit, Position, Slot};
use crate::error::SendError;

/// How many messages and bytes may wait for the other process.
pub const BACKLOG: (usize, usize) = (4096, 8 << 20);

/// A channel's log, and what else has to keep the order of numbers.
///
/// A message gets its number under its lock, and is sent under it, too, so numbers
/// and messages have one order.
pub struct SharedLog<T: Parcel>(Mutex<Numbered<T>>);

struct Numbered<T: Parcel> {
    log: Log<T::Audience>,
    /// Present while another process gets what is published.
    backlog: Option<Backlog<T>>,
}

/// What was published and not taken yet.
struct Backlog<T> {
    waiting: VecDeque<Publication<T>>,
    bytes: usize,
    /// Whether something was dropped in front of it.
    has_lost: bool,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication<T> {
    /// The number of a message; of anything else, that of the next message.
    pub number: u64,
    /// Lets the sender recognize it; 0 if the sender doesn't need to.
    pub tag: u64,
    /// What it is.
    pub parcel: T,
}

impl<T: Parcel> SharedLog<T> {
    pub(super) fn new(log: Log<T::Audience>) -> SharedLog<T> {
        SharedLog(Mutex::new(Numbered { log, backlog: None }))
    }

    /// Looks at the log, or changes it. Senders wait meanwhile.
    pub fn with<R>(&self, work: impl FnOnce(&mut Log<T::Audience>) -> R) -> R {
        work(&mut self.lock().log)
    }

    fn lock(&self) -> MutexGuard<'_, Numbered<T>> {
        // Nothing that holds the lock can panic midway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Parcel> std::fmt::Debug for SharedLog<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SharedLog").field(&self.lock().log.position()).finish()
    }
}

impl<T: Parcel> Channel<T> {
    /// Returns its log, if it has one.
    pub fn log(&self) -> Option<&Arc<SharedLog<T>>> {
        self.log.as_ref()
    }

    /// Returns the position of the next message, if messages have numbers.
    pub fn position(&self) -> Option<Position> {
        Some(self.log.as_ref()?.with(|log| log.position()))
    }

    /// Leads from now on: goes on with another process's log, and collects what is
    /// published for it.
    ///
    /// Waits until everything that was sent before is received. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if no receiver is left.
    pub async fn lead(&self, log: Log<T::Audience>) -> Result<(), SendError> {
        let _all = self.all_room().await?;
        if let Some(shared) = &self.log {
            let backlog = Backlog { waiting: VecDeque::new(), bytes: 0, has_lost: false };
            *shared.lock() = Numbered { log, backlog: Some(backlog) };
        }
        Ok(())
    }

    /// Stops collecting what is published.
    pub fn lead_nobody(&self) {
        if let Some(shared) = &self.log {
            shared.lock().backlog = None;
        }
    }

    /// Takes what was published, at most so much.
    ///
    /// # Errors
    ///
    /// Something was dropped in front of it, up to this number.
    pub fn take_backlog(&self, at_most: usize) -> Result<Vec<Publication<T>>, LogGap> {
        let Some(shared) = &self.log else { return Ok(Vec::new()) };
        let Numbered { log, backlog } = &mut *shared.lock();
        let Some(backlog) = backlog else { return Ok(Vec::new()) };
        if std::mem::take(&mut backlog.has_lost) {
            let first = backlog.waiting.front().map(|first| first.number);
            return Err(LogGap { until: first.unwrap_or(log.position().number) });
        }
        let count = at_most.min(backlog.waiting.len());
        let taken: Vec<_> = backlog.waiting.drain(..count).collect();
        backlog.bytes -= taken.iter().map(bytes).sum::<usize>();
        Ok(taken)
    }

    /// Makes [`Permit::is_diverted`] report from now on that messages go
    /// elsewhere. Returns a copy of the log, if there is one.
    ///
    /// Waits until everything that was sent before is received. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if no receiver is left.
    pub async fn divert(&self) -> Result<Option<Log<T::Audience>>, SendError> {
        let _all = self.all_room().await?;
        self.is_diverted.store(true, Ordering::Release);
        Ok(self.log.as_ref().map(|shared| shared.with(|log| log.clone())))
    }

    /// Ends the diversion that [`divert`](Self::divert) began. Numbers continue.
    pub fn rejoin(&self) {
        self.is_diverted.store(false, Ordering::Release);
    }

    /// Takes all permits as soon as all are available, so nobody is sending.
    /// Senders wait meanwhile.
    async fn all_room(&self) -> Result<OwnedSemaphorePermit, SendError> {
        let all = u32::try_from(self.capacity_messages).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.permits).acquire_many_owned(all).await;
        permit.map_err(|_| SendError::Stopped { path: self.path })
    }
}

impl<T: Parcel> Permit<'_, T> {
    /// Tells whether messages go elsewhere. A diversion can't begin while this
    /// permit is held.
    pub fn is_diverted(&self) -> bool {
        self.channel.is_diverted.load(Ordering::Acquire)
    }

    /// Puts something into the channel that concerns only this process, and gets no
    /// number. Returns the position of the next message, if messages have numbers.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if the receivers were closed or dropped meanwhile; it
    /// may or may not have been received.
    pub fn send(self, parcel: T) -> Result<Option<Position>, SendError> {
        let Some(shared) = &self.channel.log else {
            return self.put(parcel, 0).map(|()| None);
        };
        let numbered = shared.lock();
        let position = numbered.log.position();
        self.put(parcel, position.number)?;
        Ok(Some(position))
    }

    /// Puts something into the channel. In one with a log, a message gets a number
    /// and is kept as sent `now`, in seconds; and another process that is led gets
    /// it, with its tag. If it fails, no number is taken.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn publish(self, parcel: T, tag: u64, now: impl FnOnce() -> u32) -> Result<(), SendError> {
        let Some(shared) = &self.channel.log else { return self.put(parcel, 0) };
        let channel = self.channel;
        let Numbered { log, backlog } = &mut *shared.lock();
        let number = log.position().number;
        let entry = parcel.log_entry();
        self.put(parcel.clone(), number + u64::from(entry.is_some()))?;
        if let Some(entry) = entry {
            log.push(entry, now());
        }
        if let Some(backlog) = backlog {
            backlog.push(Publication { number, tag, parcel });
            channel.numbered.notify_one();
        }
        Ok(())
    }

    fn put(self, message: T, next: u64) -> Result<(), SendError> {
        let Channel { path, sender, permits, .. } = self.channel;
        let stopped = SendError::Stopped { path };
        if sender.send(Slot { message, next, permit: Arc::new(self.permit) }).is_err() {
            return Err(stopped);
        }
        // A receiver that closes still gets the messages that were sent before;
        // only now is it certain that this one was.
        if permits.is_closed() { Err(stopped) } else { Ok(()) }
    }
}

impl<T: Parcel> Backlog<T> {
    fn push(&mut self, publication: Publication<T>) {
        self.bytes += bytes(&publication);
        self.waiting.push_back(publication);
        let (messages, most_bytes) = BACKLOG;
        while self.waiting.len() > messages || self.bytes > most_bytes && self.waiting.len() > 1 {
            self.bytes -= self.waiting.pop_front().as_ref().map_or(0, bytes);
            self.has_lost = true;
        }
    }
}

fn bytes<T: Parcel>(publication: &Publication<T>) -> usize {
    publication.parcel.log_entry().map_or(0, |entry| entry.frame.len())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::super::{Frames, Hub, LogBounds, LogEntry, Receiver};
    use super::*;

    /// A message of one byte; 0 is none.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Byte([u8; 1]);

    impl Parcel for Byte {
        type Audience = Infallible;

        fn log_entry(&self) -> Option<LogEntry<'_, Infallible>> {
            (self.0 != [0]).then_some(LogEntry { path: None, audience: None, frame: &self.0 })
        }
    }

    fn log(number: u64) -> Log<Infallible> {
        let bounds = LogBounds { messages: 10, age: None, bytes: 1000 };
        Log::new(Position { epoch: 1, number }, bounds)
    }

    fn one_path(capacity_messages: usize) -> (Hub<Byte>, Receiver<Byte>) {
        let (hub, mut receivers) = Hub::with_logs([("/", capacity_messages, Some(log(0)))]);
        (hub, receivers.remove(0))
    }

    fn publish(channel: &Channel<Byte>, byte: u8) {
        channel.try_reserve().unwrap().publish(Byte([byte]), 0, || 0).unwrap();
    }

    fn kept(channel: &Channel<Byte>, from: u64) -> Result<Vec<u8>, LogGap> {
        let mut frames = Frames::default();
        channel.log().unwrap().with(|log| {
            let until = log.position().number;
            log.read(&None, from, until, |_, never| match *never {}, &mut frames)
        })?;
        Ok(frames.bytes)
    }

    #[test]
    fn messages_have_numbers_and_nothing_else_has() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        publish(channel, 5);
        publish(channel, 0);
        publish(channel, 6);
        let position = channel.try_reserve().unwrap().send(Byte([9])).unwrap();
        assert_eq!(position, Some(Position { epoch: 1, number: 2 }));
        let behind =
            std::iter::from_fn(|| receiver.try_next().map(|byte| (byte.0[0], receiver.number())));
        assert_eq!(behind.collect::<Vec<_>>(), [(5, 1), (0, 1), (6, 2), (9, 2)]);
        assert_eq!(kept(channel, 0), Ok(vec![5, 6]));
        assert_eq!(kept(channel, 1), Ok(vec![6]));
    }

    #[test]
    fn what_fails_takes_no_number() {
        let (hub, receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        publish(channel, 5);
        let permit = channel.try_reserve().unwrap();
        drop(receiver);
        assert!(permit.publish(Byte([6]), 0, || 0).is_err());
        assert_eq!(channel.position(), Some(Position { epoch: 1, number: 1 }));
        assert_eq!(kept(channel, 0), Ok(vec![5]));
    }

    #[tokio::test]
    async fn a_channel_is_diverted_when_nobody_is_in_the_midst_of_sending() {
        let (hub, mut receiver) = one_path(2);
        let channel = hub.channel("/").unwrap();
        let permit = channel.try_reserve().unwrap();
        let mut diverting = Box::pin(channel.divert());
        let mut context = Context::from_waker(Waker::noop());
        assert!(diverting.as_mut().poll(&mut context).is_pending());
        assert!(matches!(channel.try_reserve(), Err(SendError::Full { .. })), "others wait");
        assert!(!permit.is_diverted());
        permit.publish(Byte([1]), 0, || 0).unwrap();
        assert!(diverting.as_mut().poll(&mut context).is_pending(), "it isn't delivered yet");
        assert_eq!(receiver.try_next(), Some(Byte([1])));
        assert_eq!(receiver.try_next(), None);
        let log = diverting.await.unwrap().unwrap();
        assert_eq!(log.position(), Position { epoch: 1, number: 1 });
        assert!(channel.try_reserve().unwrap().is_diverted());
        channel.rejoin();
        assert!(!channel.try_reserve().unwrap().is_diverted());
    }

    #[test]
    fn what_is_led_waits_for_the_other_process() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        publish(channel, 1);
        assert_eq!(receiver.try_next(), Some(Byte([1])));
        assert_eq!(receiver.try_next(), None);
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(channel.lead(log(7))).poll(&mut context).is_ready());
        for byte in [2, 0, 3] {
            publish(channel, byte);
        }
        assert!(pin!(hub.numbered()).poll(&mut context).is_ready());
        let first = |publications: &[Publication<Byte>]| {
            publications.iter().map(|it| (it.number, it.parcel.0[0])).collect::<Vec<_>>()
        };
        assert_eq!(first(&channel.take_backlog(2).unwrap()), [(7, 2), (8, 0)]);
        assert_eq!(first(&channel.take_backlog(2).unwrap()), [(8, 3)]);
        assert_eq!(first(&channel.take_backlog(2).unwrap()), []);
        for _ in 0..=BACKLOG.0 {
            while receiver.try_next().is_some() {}
            publish(channel, 4);
        }
        assert_eq!(channel.take_backlog(2), Err(LogGap { until: 10 }), "it was too slow");
        assert_eq!(first(&channel.take_backlog(2).unwrap()), [(10, 4), (11, 4)]);
        channel.lead_nobody();
        while receiver.try_next().is_some() {}
        publish(channel, 5);
        assert_eq!(first(&channel.take_backlog(2).unwrap()), []);
    }
}
