//! How a channel takes part when two processes hand over.
//!
//! One of them, the leader, numbers for both: what it has numbered waits in a backlog
//! for the other one. In that one, the follower, what is sent waits in an outbox, goes
//! to the leader, comes back with its number, and only then is in the channel. It
//! comes back in the order in which it went, so the outbox is a queue.
//!
//! Both say to each other what their channels have for the other process, as
//! [`Notice`]s.

use std::mem;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::numbering::Numbered;
use super::role::{Backlog, Notice, Outbox, Role, Underway};
use super::{Channel, Kept, Log, LogEntry, Parcel, Permit};
use crate::error::SendError;

impl<T: Parcel> Channel<T> {
    /// Takes what there is for the other process, at most so much and a
    /// [`Notice::Lost`].
    pub fn take_notices(&self, at_most: usize) -> Vec<Notice<T>> {
        let Some(shared) = &self.log else { return Vec::new() };
        let Numbered { log, role } = &mut *shared.lock();
        match role {
            Role::Alone => Vec::new(),
            Role::Leads(backlog) => backlog.take(at_most, log.position().number),
            Role::Follows(outbox) => outbox
                .take(at_most, usize::MAX)
                .into_iter()
                .map(|(_, parcel)| Notice::Sent(parcel))
                .collect(),
        }
    }

    /// Leads from now on: goes on with another process's log, and collects what is
    /// published for it. What this channel has kept itself is published behind that log,
    /// as `parcel` makes it of each message; `None` is for this process alone.
    ///
    /// Waits until everything that was sent before is received. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if no receiver is left.
    pub async fn lead(
        &self,
        mut log: Log<T::Audience>,
        parcel: impl Fn(&LogEntry<'_, T::Audience>) -> Option<T>,
    ) -> Result<(), SendError> {
        let _all = self.some_room(self.capacity_messages).await?;
        if let Some(shared) = &self.log {
            let numbered = &mut *shared.lock();
            let mut backlog = Backlog::new();
            for Kept { sent, entry, .. } in numbered.log.kept() {
                let number = log.position().number;
                if let Some(parcel) = parcel(&entry) {
                    backlog.push(Notice::Published { number, parcel });
                    self.noticed.notify_one();
                }
                log.push(entry, sent);
            }
            *numbered = Numbered { log, role: Role::Leads(backlog) };
        }
        Ok(())
    }

    /// Stops collecting what is published.
    pub fn lead_nobody(&self) {
        if let Some(shared) = &self.log {
            shared.lock().role = Role::Alone;
        }
    }

    /// Follows from now on: what is published goes to the other process. Returns a
    /// copy of the log, if there is one; without, nothing changes.
    ///
    /// Waits for half of the capacity, which is left to what comes from there.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`SendError::Stopped`] if no receiver is left.
    pub async fn follow(&self) -> Result<Option<Log<T::Audience>>, SendError> {
        let Some(shared) = &self.log else { return Ok(None) };
        self.some_room(self.room_for_theirs()).await?.forget();
        let Numbered { log, role } = &mut *shared.lock();
        *role = Role::Follows(Outbox::new(self.room_for_theirs(), false));
        Ok(Some(log.clone()))
    }

    /// Returns whether all that was sent is back.
    pub fn is_idle(&self) -> bool {
        let Some(shared) = &self.log else { return true };
        !matches!(&shared.lock().role, Role::Follows(outbox) if !outbox.sent.is_empty())
    }

    /// Waits for a permit for what comes from the leader; those who send don't
    /// compete for it. Cancel safe.
    ///
    /// # Errors
    ///
    /// As for [`reserve`](Self::reserve).
    pub async fn reserve_for_theirs(&self) -> Result<Permit<'_, T>, SendError> {
        let theirs = self.log.as_ref().and_then(|shared| match &shared.lock().role {
            Role::Follows(outbox) => Some(Arc::clone(&outbox.room)),
            Role::Alone | Role::Leads(_) => None,
        });
        let room = theirs.unwrap_or_else(|| Arc::clone(&self.permits));
        let stopped = |_| SendError::Stopped { path: self.path };
        let permit = room.acquire_owned().await.map_err(stopped)?;
        Ok(Permit { channel: self, permit })
    }

    /// Puts what was sent next into the channel: it is back, with this number.
    ///
    /// # Errors
    ///
    /// As for [`Permit::publish`].
    pub fn take_back(&self, number: u64, now: impl FnOnce() -> u32) -> Result<(), SendError> {
        let Some(shared) = &self.log else { return Ok(()) };
        let numbered = &mut *shared.lock();
        numbered.log.skip_to(number);
        let Role::Follows(outbox) = &mut numbered.role else { return Ok(()) };
        match outbox.pop() {
            Some(underway) => self.arrive(numbered, underway, now),
            None => Ok(()),
        }
    }

    /// Puts what was sent into the channel, with the number that is next.
    pub(super) fn arrive(
        &self,
        numbered: &mut Numbered<T>,
        underway: Underway<T>,
        now: impl FnOnce() -> u32,
    ) -> Result<(), SendError> {
        let Underway { parcel, permit, arrived, .. } = underway;
        numbered.put(Permit { channel: self, permit }, &parcel, now)?;
        // Its sender may not wait any longer.
        let _ = arrived.send(());
        Ok(())
    }

    /// Goes on at this number, without a log of what was before, and without so many
    /// of those that are underway.
    pub fn lose(&self, until: u64, back: usize) {
        let Some(shared) = &self.log else { return };
        let Numbered { log, role } = &mut *shared.lock();
        log.lose_to(until);
        if let Role::Follows(outbox) = role {
            // They are in the leader's channel.
            let lost = (0..back).filter_map(|_| outbox.pop());
            lost.for_each(|underway| underway.arrived.send(()).unwrap_or_default());
        }
    }

    /// Ends following: numbers here again, in a new epoch, first what is underway, in
    /// its order. Then waits until what came from the leader is received.
    ///
    /// Cancel safe, but that capacity is lost.
    pub async fn follow_nobody(&self, epoch: u64, now: impl Fn() -> u32) {
        let Some(shared) = &self.log else { return };
        let room = {
            let numbered = &mut *shared.lock();
            let Role::Follows(outbox) = mem::replace(&mut numbered.role, Role::Alone) else {
                return;
            };
            // The leader may have given numbers that are unknown here.
            numbered.log.begin_epoch(epoch);
            for underway in outbox.sent {
                // If nobody receives any more, nobody waits either.
                let _ = self.arrive(numbered, underway, &now);
            }
            outbox.room
        };
        if let Ok(all) = room.acquire_many(self.room_for_theirs() as u32).await {
            all.forget();
            self.permits.add_permits(self.room_for_theirs());
        }
    }

    pub(super) fn room_for_theirs(&self) -> usize {
        self.capacity_messages / 2
    }

    /// Takes so many permits as soon as all of them are available. Senders wait
    /// meanwhile.
    async fn some_room(&self, permits: usize) -> Result<OwnedSemaphorePermit, SendError> {
        let permit = Arc::clone(&self.permits).acquire_many_owned(permits as u32).await;
        permit.map_err(|_| SendError::Stopped { path: self.path })
    }
}

impl<T: Parcel> Permit<'_, T> {
    /// Puts something into the channel that the leader has published, with its
    /// number.
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub fn put_theirs(
        self,
        parcel: &T,
        number: u64,
        now: impl FnOnce() -> u32,
    ) -> Result<(), SendError> {
        let Some(shared) = &self.channel.log else { return Ok(()) };
        let mut numbered = shared.lock();
        numbered.log.skip_to(number);
        numbered.put(self, parcel, now).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::super::numbering::tests::{Byte, kept, log, one_path, publish};
    use super::super::{BACKLOG, LogGap, Position, Receiver};
    use super::*;

    fn is_ready(future: impl Future) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn received(receiver: &mut Receiver<Byte>) -> Vec<(u8, u64)> {
        let next = || receiver.try_next().map(|byte| (byte.0[0], receiver.number()));
        std::iter::from_fn(next).collect()
    }

    fn published(number: u64, byte: u8) -> Notice<Byte> {
        Notice::Published { number, parcel: Byte([byte]) }
    }

    #[test]
    fn what_was_sent_before_comes_behind_the_log_that_is_taken_over() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        assert!(publish(channel, 1).is_none());
        assert!(publish(channel, 2).is_none());
        received(&mut receiver);
        let mut theirs = log(7);
        theirs.push(Byte([9]).log_entry().unwrap(), 0);
        let lead = channel.lead(theirs, |entry| Some(Byte([entry.frame[0]])));
        assert!(is_ready(lead));
        assert_eq!(kept(channel, 7), Ok(vec![9, 1, 2]));
        assert!(is_ready(hub.noticed()));
        assert_eq!(channel.take_notices(9), [published(8, 1), published(9, 2)]);
        assert_eq!(channel.position(), Some(Position { epoch: 1, number: 10 }));
    }

    #[test]
    fn what_is_led_waits_for_the_follower() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        assert!(is_ready(channel.lead(log(7), |_| None)));
        assert!(publish(channel, 2).is_none());
        channel.try_reserve().unwrap().publish_theirs(Byte([0]), || 0).unwrap();
        channel.try_reserve().unwrap().publish_theirs(Byte([3]), || 0).unwrap();
        assert!(is_ready(hub.noticed()));
        assert_eq!(received(&mut receiver), [(2, 8), (0, 8), (3, 9)]);
        assert_eq!(channel.take_notices(2), [published(7, 2), Notice::Back { number: 8 }]);
        assert_eq!(channel.take_notices(2), [Notice::Back { number: 8 }]);
        assert_eq!(channel.take_notices(2), []);
        channel.try_reserve().unwrap().publish_theirs(Byte([5]), || 0).unwrap();
        for _ in 0..=BACKLOG.0 {
            received(&mut receiver);
            assert!(publish(channel, 4).is_none());
        }
        let lost = Notice::Lost { until: 11, back: 1 };
        assert_eq!(channel.take_notices(1), [lost, published(11, 4)], "it was too slow");
        channel.lead_nobody();
        received(&mut receiver);
        assert!(publish(channel, 5).is_none());
        assert_eq!(channel.take_notices(2), []);
    }

    #[tokio::test]
    async fn what_a_follower_sends_comes_back_first() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        assert!(publish(channel, 1).is_none());
        let log = channel.follow().await.unwrap().unwrap();
        assert_eq!(log.position(), Position { epoch: 1, number: 1 });
        let mut two = publish(channel, 2).unwrap();
        let mut three = publish(channel, 3).unwrap();
        assert!(is_ready(hub.noticed()));
        assert!(!channel.is_idle());
        let sent = |byte| Notice::Sent(Byte([byte]));
        assert_eq!(channel.take_notices(1), [sent(2)]);
        assert_eq!(received(&mut receiver), [(1, 1)], "nothing is delivered without its number");
        let theirs = channel.reserve_for_theirs().await.unwrap();
        theirs.put_theirs(&Byte([9]), 1, || 0).unwrap();
        assert!(!is_ready(&mut two));
        channel.take_back(5, || 0).unwrap();
        assert!(is_ready(two));
        assert_eq!(channel.take_notices(2), [sent(3)]);
        channel.lose(9, 1);
        assert!(is_ready(&mut three), "nobody waits for it");
        assert!(channel.is_idle());
        assert_eq!(received(&mut receiver), [(9, 2), (2, 6)]);
        assert_eq!(kept(channel, 6), Err(LogGap { until: 9 }));
    }

    /// Else what comes from the leader would wait for what comes behind it.
    #[tokio::test]
    async fn senders_leave_room_for_what_the_leader_sends() {
        for capacity_messages in [1, 2, 7] {
            let (hub, mut receiver) = one_path(capacity_messages);
            let channel = hub.channel("/").unwrap();
            channel.follow().await.unwrap();
            let mut arrivals = Vec::new();
            while let Ok(permit) = channel.try_reserve() {
                arrivals.extend(permit.publish(Byte([1]), || 0).unwrap());
            }
            assert!(!arrivals.is_empty());
            for number in 0..20 {
                let theirs = channel.reserve_for_theirs().await.unwrap();
                theirs.put_theirs(&Byte([2]), number, || 0).unwrap();
                assert_eq!(received(&mut receiver), [(2, number + 1)]);
            }
            for number in 20..20 + arrivals.len() as u64 {
                channel.take_back(number, || 0).unwrap();
            }
            received(&mut receiver);
            channel.follow_nobody(2, || 0).await;
            for _ in 0..capacity_messages.max(2) {
                assert!(publish(channel, 3).is_none(), "all capacity is back");
            }
            assert!(channel.try_reserve().is_err());
        }
    }

    #[tokio::test]
    async fn what_is_underway_comes_first_when_a_follower_is_alone_again() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        channel.follow().await.unwrap();
        let arrivals = [1, 2, 0, 3].map(|byte| publish(channel, byte).unwrap());
        assert_eq!(channel.take_notices(1).len(), 1);
        channel.follow_nobody(2, || 0).await;
        for arrival in arrivals {
            arrival.await;
        }
        assert!(publish(channel, 4).is_none());
        assert_eq!(received(&mut receiver), [(1, 1), (2, 2), (0, 2), (3, 3), (4, 4)]);
        assert_eq!(channel.position(), Some(Position { epoch: 2, number: 4 }));
        assert_eq!(channel.take_notices(9), []);
    }
}
