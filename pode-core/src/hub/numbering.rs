//! Numbering: how the messages of a channel with a log get their numbers.
//!
//! Usually here, at the call. While two processes [hand over](super::hand_over), one
//! of them numbers for both.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::role::{Arrival, Notice, Role};
use super::{Channel, Log, Parcel, Permit, Position, Slot};
use crate::error::SendError;

/// A channel's log, and what else has to keep the order of numbers.
///
/// A message gets its number under its lock, and is sent under it, too, so numbers
/// and messages have one order.
pub struct SharedLog<T: Parcel>(Mutex<Numbered<T>>);

pub(super) struct Numbered<T: Parcel> {
    pub(super) log: Log<T::Audience>,
    pub(super) role: Role<T>,
}

impl<T: Parcel> SharedLog<T> {
    pub(super) fn new(log: Log<T::Audience>) -> SharedLog<T> {
        SharedLog(Mutex::new(Numbered { log, role: Role::Alone }))
    }

    /// Looks at the log, or changes it. Senders wait meanwhile.
    pub fn with<R>(&self, work: impl FnOnce(&mut Log<T::Audience>) -> R) -> R {
        work(&mut self.lock().log)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Numbered<T>> {
        // Nothing that holds the lock can panic midway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Parcel> std::fmt::Debug for SharedLog<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SharedLog").field(&self.lock().log.position()).finish()
    }
}

impl<T: Parcel> Numbered<T> {
    /// Puts something into the channel. A message, or a change of who is present, gets the
    /// next number, which is returned, and is kept, or changes the table; if it fails, no
    /// number is taken.
    pub(super) fn put(
        &mut self,
        permit: Permit<'_, T>,
        parcel: &T,
        now: impl FnOnce() -> u32,
    ) -> Result<u64, SendError> {
        let number = self.log.position().number;
        let (entry, change) = (parcel.log_entry(), parcel.presence_change());
        let has_number = entry.is_some() || change.is_some();
        permit.put(parcel.clone(), number + u64::from(has_number))?;
        if let Some(entry) = entry {
            self.log.push(entry, now());
        }
        if let Some(change) = change {
            self.log.change_presence(change);
        }
        Ok(number)
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
}

impl<T: Parcel> Permit<'_, T> {
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
    /// and is kept as sent `now`, in seconds. If another process numbers, it goes
    /// there first; it keeps its capacity, and this returns its arrival.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn publish(
        self,
        parcel: T,
        now: impl FnOnce() -> u32,
    ) -> Result<Option<Arrival>, SendError> {
        self.publish_as(parcel, now, |number, parcel| Notice::Published { number, parcel })
    }

    /// As [`publish`](Self::publish), for what comes from the other process.
    pub fn publish_theirs(self, parcel: T, now: impl FnOnce() -> u32) -> Result<(), SendError> {
        self.publish_as(parcel, now, |number, _| Notice::Back { number }).map(drop)
    }

    fn publish_as(
        self,
        parcel: T,
        now: impl FnOnce() -> u32,
        notice: impl FnOnce(u64, T) -> Notice<T>,
    ) -> Result<Option<Arrival>, SendError> {
        let channel = self.channel;
        let Some(shared) = &channel.log else { return self.put(parcel, 0).map(|()| None) };
        let mut numbered = shared.lock();
        if let Role::Follows(outbox) = &mut numbered.role {
            let arrival = outbox.push(parcel, self.permit);
            channel.noticed.notify_one();
            return Ok(Some(arrival));
        }
        let number = numbered.put(self, &parcel, now)?;
        if let Role::Leads(backlog) = &mut numbered.role {
            backlog.push(notice(number, parcel));
            channel.noticed.notify_one();
        }
        Ok(None)
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

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Frames, Hub, LogBounds, LogEntry, LogGap, Receiver, Stored, Wanted};
    use super::*;
    use std::convert::Infallible;

    /// A message of one byte; 0 is none.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Byte(pub(crate) [u8; 1]);

    impl Parcel for Byte {
        type Audience = Infallible;

        fn log_entry(&self) -> Option<LogEntry<'_, Infallible>> {
            let entry = LogEntry { path: None, audience: None, key: None, frame: &self.0 };
            (self.0 != [0]).then_some(entry)
        }
    }

    pub(crate) fn log(number: u64) -> Log<Infallible> {
        let bounds = LogBounds { messages: 10, age: None, bytes: 1000 };
        Log::new(Position { epoch: 1, number }, bounds)
    }

    pub(crate) fn one_path(capacity_messages: usize) -> (Hub<Byte>, Receiver<Byte>) {
        let (hub, mut receivers) = Hub::with_logs([("/", capacity_messages, Some(log(0)))]);
        (hub, receivers.remove(0))
    }

    pub(crate) fn publish(channel: &Channel<Byte>, byte: u8) -> Option<Arrival> {
        channel.try_reserve().unwrap().publish(Byte([byte]), || 0).unwrap()
    }

    pub(crate) fn kept(channel: &Channel<Byte>, from: u64) -> Result<Vec<u8>, LogGap> {
        let mut frames = Frames::default();
        channel.log().unwrap().with(|log| {
            let until = log.position().number;
            let wanted = Wanted { from, until, snapshot: None };
            let write = |stored: &Stored<'_, _>, bytes: &mut Vec<u8>| bytes.extend(stored.frame);
            log.read(&None, wanted, |_, never| match *never {}, write, &mut frames)
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
        assert!(permit.publish(Byte([6]), || 0).is_err());
        assert_eq!(channel.position(), Some(Position { epoch: 1, number: 1 }));
        assert_eq!(kept(channel, 0), Ok(vec![5]));
    }
}
