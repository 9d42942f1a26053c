//! Numbering: how a channel works while two processes hand over.
//!
//! One of them is the leader. Messages that are published in it get a number
//! and are kept. In the other, the follower, channels are diverted: senders
//! find that messages go elsewhere, and only what comes back from the leader is
//! published. So all clients of both processes get the same messages in the
//! same order. At all other times, the cost is two flag checks.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::{Channel, History, HistoryGap, Permit, Position, Publication};
use crate::error::SendError;

impl<T: Clone + Send + 'static> Channel<T> {
    /// Numbers and keeps from now on the messages that are
    /// [published](Permit::publish).
    ///
    /// Waits until everything that was sent before is received. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if no receiver is left.
    pub async fn number(&self, history: History<T>) -> Result<(), SendError> {
        let _all = self.all_room().await?;
        *self.history() = Some(history);
        self.is_numbered.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes [`Permit::is_diverted`] report from now on that messages go
    /// elsewhere. Returns a copy of the history; if there is none, `begin`
    /// makes it.
    ///
    /// Waits until everything that was sent before is received. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if no receiver is left.
    pub async fn divert(
        &self,
        begin: impl FnOnce() -> History<T>,
    ) -> Result<History<T>, SendError> {
        let _all = self.all_room().await?;
        let mut history = self.history();
        let copy = history.get_or_insert_with(begin).clone();
        self.is_numbered.store(true, Ordering::Release);
        self.is_diverted.store(true, Ordering::Release);
        Ok(copy)
    }

    /// Ends the diversion that [`divert`](Self::divert) began. The history
    /// continues.
    pub fn rejoin(&self) {
        self.is_diverted.store(false, Ordering::Release);
    }

    /// Stops numbering and keeping messages.
    pub fn forget(&self) {
        // Replays are refused before a message can be sent that isn't kept.
        let mut history = self.history();
        *history = None;
        self.is_numbered.store(false, Ordering::Release);
    }

    /// Returns the position of the next message, if messages are numbered.
    pub fn position(&self) -> Option<Position> {
        self.history().as_ref().map(History::position)
    }

    /// Returns the messages after a position, at most so many; empty if there
    /// are none.
    ///
    /// # Errors
    ///
    /// Not all of them are kept.
    pub fn since(
        &self,
        position: Position,
        at_most: usize,
    ) -> Result<Vec<Publication<T>>, HistoryGap> {
        let history = self.history();
        let missed = history.as_ref().ok_or(HistoryGap)?.since(position)?;
        Ok(missed.take(at_most).cloned().collect())
    }

    /// Numbers and keeps a message that isn't published here.
    pub fn note(&self, message: T, bytes: usize) {
        if let Some(history) = &mut *self.history() {
            history.push(message, bytes, 0);
        }
    }

    /// Continues at another number; see [`History::skip_to`].
    pub fn skip_to(&self, number: u64) {
        if let Some(history) = &mut *self.history() {
            history.skip_to(number);
        }
    }

    /// Returns the earliest position after which everything is kept.
    pub fn earliest(&self) -> Option<Position> {
        let history = self.history();
        let Position { epoch, number } = history.as_ref()?.position();
        let first = history.as_ref()?.kept().next();
        Some(Position { epoch, number: first.map_or(number, |kept| kept.number) })
    }

    /// Takes all permits as soon as all are available, so nobody is sending.
    /// Senders wait meanwhile.
    async fn all_room(&self) -> Result<OwnedSemaphorePermit, SendError> {
        let all = u32::try_from(self.capacity_messages).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.permits).acquire_many_owned(all).await;
        permit.map_err(|_| SendError::Stopped { path: self.path })
    }

    fn history(&self) -> MutexGuard<'_, Option<History<T>>> {
        // Nothing that holds the lock can panic midway.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Send + 'static> Permit<'_, T> {
    /// Tells whether messages go elsewhere. A diversion can't begin while this
    /// permit is held.
    pub fn is_diverted(&self) -> bool {
        self.channel.is_diverted.load(Ordering::Acquire)
    }

    /// Puts the message into the channel; if messages are numbered, it gets a
    /// number and is kept as one of so many bytes, with its tag.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn publish(self, message: T, bytes: usize, tag: u64) -> Result<(), SendError> {
        let channel = self.channel;
        if !channel.is_numbered.load(Ordering::Acquire) {
            return self.send(message);
        }
        let mut history = channel.history();
        let Some(kept) = &mut *history else {
            drop(history);
            return self.send(message);
        };
        kept.push(message.clone(), bytes, tag);
        let sent = self.send(message);
        drop(history);
        channel.numbered.notify_one();
        sent
    }

    /// Puts a message into the channel that is made from the messages after a
    /// position. No message comes between these and it.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn send_missed(
        self,
        position: Position,
        make: impl FnOnce(Result<Vec<T>, HistoryGap>) -> T,
    ) -> Result<(), SendError> {
        let history = self.channel.history();
        let missed = history.as_ref().ok_or(HistoryGap).and_then(|kept| kept.since(position));
        let missed = missed.map(|missed| missed.map(|kept| kept.message.clone()).collect());
        self.send(make(missed))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::super::{HistoryBounds, Hub, Receiver};
    use super::*;

    const BOUNDS: HistoryBounds = HistoryBounds { messages: 10, bytes: 1000 };

    fn begin() -> History<u32> {
        History::new(Position { epoch: 1, number: 0 }, BOUNDS)
    }

    fn one_path(capacity_messages: usize) -> (Hub<u32>, Receiver<u32>) {
        let (hub, mut receivers) = Hub::new([("/", capacity_messages)]);
        (hub, receivers.remove(0))
    }

    fn publish(channel: &Channel<u32>, message: u32) {
        channel.try_reserve().unwrap().publish(message, 1, 0).unwrap();
    }

    fn numbers(channel: &Channel<u32>, number: u64) -> Result<Vec<u32>, HistoryGap> {
        let kept = channel.since(Position { epoch: 1, number }, 100);
        kept.map(|kept| kept.into_iter().map(|kept| kept.message).collect())
    }

    #[tokio::test]
    async fn only_what_is_published_while_there_is_a_history_is_kept() {
        let (hub, mut receiver) = one_path(4);
        let channel = hub.channel("/").unwrap();
        publish(channel, 1);
        assert_eq!(channel.position(), None);
        assert_eq!(numbers(channel, 0), Err(HistoryGap));
        assert_eq!((receiver.next().await, receiver.try_next()), (Some(1), None));
        channel.number(begin()).await.unwrap();
        publish(channel, 2);
        channel.try_reserve().unwrap().send(3).unwrap();
        publish(channel, 4);
        assert_eq!(numbers(channel, 0), Ok(vec![2, 4]));
        assert_eq!(numbers(channel, 1), Ok(vec![4]));
        for message in [2, 3, 4] {
            assert_eq!(receiver.try_next(), Some(message));
        }
        hub.numbered().await;
        channel.forget();
        publish(channel, 5);
        assert_eq!(numbers(channel, 2), Err(HistoryGap));
        assert_eq!(receiver.try_next(), Some(5));
    }

    #[tokio::test]
    async fn a_channel_is_diverted_when_nobody_is_in_the_midst_of_sending() {
        let (hub, mut receiver) = one_path(2);
        let channel = hub.channel("/").unwrap();
        let permit = channel.try_reserve().unwrap();
        let mut diverting = Box::pin(channel.divert(begin));
        let mut context = Context::from_waker(Waker::noop());
        assert!(diverting.as_mut().poll(&mut context).is_pending());
        assert!(matches!(channel.try_reserve(), Err(SendError::Full { .. })), "others wait");
        assert!(!permit.is_diverted());
        permit.publish(1, 1, 0).unwrap();
        assert!(diverting.as_mut().poll(&mut context).is_pending(), "it isn't delivered yet");
        assert_eq!(receiver.try_next(), Some(1));
        assert_eq!(receiver.try_next(), None);
        let history = diverting.await.unwrap();
        assert_eq!(history.position(), Position { epoch: 1, number: 0 });
        let permit = channel.try_reserve().unwrap();
        assert!(permit.is_diverted());
        permit.publish(2, 1, 9).unwrap();
        let kept = channel.since(history.position(), 100).unwrap();
        assert_eq!(kept, [Publication { number: 0, tag: 9, bytes: 1, message: 2 }]);
        channel.rejoin();
        assert!(!channel.try_reserve().unwrap().is_diverted());
        assert_eq!(channel.position(), Some(Position { epoch: 1, number: 1 }));
    }

    #[tokio::test]
    async fn nothing_comes_between_what_was_missed_and_what_comes() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        let missed = |number| {
            let permit = channel.try_reserve().unwrap();
            let sum = |missed: Result<Vec<u32>, _>| missed.map_or(0, |all| all.iter().sum());
            permit.send_missed(Position { epoch: 1, number }, sum).unwrap();
        };
        missed(0);
        assert_eq!((receiver.try_next(), receiver.try_next()), (Some(0), None));
        channel.number(begin()).await.unwrap();
        for message in [10, 20, 30] {
            publish(channel, message);
        }
        missed(1);
        missed(4);
        let taken: Vec<u32> = std::iter::from_fn(|| receiver.try_next()).collect();
        assert_eq!(taken, [10, 20, 30, 50, 0]);
        assert_eq!(channel.position().map(|position| position.number), Some(3), "it got no number");
    }
}
