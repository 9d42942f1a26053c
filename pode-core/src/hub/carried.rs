//! How a channel takes part where many processes are one server, and a carrier numbers
//! what is sent in any of them.
//!
//! What is sent waits in an outbox, goes to the carrier, and is in the channel when it
//! has come back with its number, as everything that others have sent. It comes back in
//! the order in which it went, but it may go twice: if it isn't known whether it went.

use super::numbering::Numbered;
use super::role::{Arrival, Outbox, Role};
use super::{Channel, Parcel};
use crate::error::SendError;

impl<T: Parcel> Channel<T> {
    /// Leaves it to a carrier to number what is published, from the start: before
    /// anything is sent. A channel without a log is left as it is.
    ///
    /// Half of the capacity is left to what others send.
    pub fn be_carried(&self) {
        let Some(shared) = &self.log else { return };
        let room = self.room_for_theirs();
        if self.permits.forget_permits(room) == room {
            shared.lock().role = Role::Follows(Outbox::new(room, true));
        }
    }

    /// Whether a carrier numbers what is published.
    pub fn is_carried(&self) -> bool {
        self.with_outbox(|outbox| outbox.is_carried()).unwrap_or_default()
    }

    /// Takes what is to go to the carrier, each with its serial number: how many were
    /// sent in this channel before. It ends with the one that makes it so many bytes.
    pub fn take_sent(&self, at_most: usize, bytes: usize) -> Vec<(u64, T)> {
        self.with_outbox(|outbox| outbox.take(at_most, bytes)).unwrap_or_default()
    }

    /// Has all that isn't back yet taken once more, but what is [in doubt](Self::doubt):
    /// none of it has reached the carrier, nor will it.
    pub fn take_again(&self) {
        self.with_outbox(Outbox::take_again);
    }

    /// Notes that some of what was taken may have been with the carrier and be gone: if it
    /// isn't back when the rest is taken again, nobody will know what became of it.
    pub fn doubt(&self) {
        self.with_outbox(Outbox::doubt);
    }

    /// Returns the serial number of what is taken next.
    pub fn next_serial(&self) -> u64 {
        self.with_outbox(|outbox| outbox.next_serial()).unwrap_or_default()
    }

    /// Gives up what was sent before the one with this serial number and isn't back, as what
    /// came behind it is.
    pub fn give_up_before(&self, serial: u64) {
        self.with_outbox(|outbox| outbox.give_up_before(serial));
    }

    /// Gives up what was taken and isn't back: nobody will know what became of it.
    pub fn give_up(&self) {
        self.with_outbox(Outbox::give_up);
    }

    /// Takes back what was published, if it was never taken; returns whether it could. What
    /// was taken may have come to others before the carrier lost it, and goes again.
    pub fn withdraw(&self, arrival: &Arrival) -> bool {
        self.with_outbox(|outbox| outbox.withdraw(arrival.serial)).unwrap_or_default()
    }

    /// Puts what was published here into the channel: it is back, with this number, and
    /// sent at this second. Returns whether it was underway: it may be back already, or
    /// given up.
    ///
    /// # Errors
    ///
    /// As for [`Permit::publish`](super::Permit::publish).
    pub fn come_back(&self, serial: u64, number: u64, sent: u32) -> Result<bool, SendError> {
        let Some(shared) = &self.log else { return Ok(false) };
        let numbered = &mut *shared.lock();
        let Role::Follows(outbox) = &mut numbered.role else { return Ok(false) };
        let Some(underway) = outbox.pop_until(serial) else { return Ok(false) };
        numbered.log.skip_to(number);
        self.arrive(numbered, underway, || sent).map(|()| true)
    }

    fn with_outbox<R>(&self, work: impl FnOnce(&mut Outbox<T>) -> R) -> Option<R> {
        let Numbered { role, .. } = &mut *self.log.as_ref()?.lock();
        match role {
            Role::Follows(outbox) => Some(work(outbox)),
            Role::Alone | Role::Leads(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::super::numbering::tests::{Byte, kept, one_path, publish};
    use super::super::{Position, Receiver};

    fn now<F: Future>(future: F) -> Option<F::Output> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    fn received(receiver: &mut Receiver<Byte>) -> Vec<(u8, u64)> {
        let next = || receiver.try_next().map(|byte| (byte.0[0], receiver.number()));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn what_is_sent_is_in_the_channel_when_it_is_back() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        channel.be_carried();
        let mut arrivals = [1, 2, 0].map(|byte| publish(channel, byte).unwrap());
        assert!(now(hub.noticed()).is_some());
        assert_eq!(channel.take_sent(2, usize::MAX), [(0, Byte([1])), (1, Byte([2]))]);
        assert_eq!(received(&mut receiver), []);
        let theirs = now(channel.reserve_for_theirs()).unwrap().unwrap();
        theirs.put_theirs(&Byte([9]), 40, || 0).unwrap();
        assert!(channel.come_back(0, 42, 0).unwrap());
        // Once more, as it went twice.
        assert!(!channel.come_back(0, 43, 0).unwrap());
        assert_eq!(now(&mut arrivals[0]), Some(true));
        assert_eq!(now(&mut arrivals[1]), None);
        assert_eq!(channel.take_sent(9, usize::MAX), [(2, Byte([0]))]);
        channel.take_again();
        assert_eq!(channel.take_sent(9, usize::MAX), [(1, Byte([2])), (2, Byte([0]))]);
        channel.come_back(1, 50, 0).unwrap();
        channel.come_back(2, 51, 0).unwrap();
        assert_eq!(received(&mut receiver), [(9, 41), (1, 43), (2, 51), (0, 51)]);
        assert_eq!(kept(channel, 41), Ok(vec![1, 2]));
        assert_eq!(channel.position(), Some(Position { epoch: 1, number: 51 }));
        let given_up = [3, 4].map(|byte| publish(channel, byte).unwrap());
        assert_eq!(channel.take_sent(1, usize::MAX).len(), 1);
        channel.give_up();
        let [three, four] = given_up;
        assert_eq!((now(three), channel.come_back(3, 60, 0).unwrap()), (Some(false), false));
        assert_eq!(channel.take_sent(9, usize::MAX), [(4, Byte([4]))]);
        assert!(channel.come_back(4, 61, 0).unwrap() && now(four) == Some(true));
        // Those before the first that is back are gone, and so is what is in doubt.
        received(&mut receiver);
        let [five, six, seven, eight] = [5, 6, 7, 8].map(|byte| publish(channel, byte).unwrap());
        assert_eq!(channel.take_sent(3, usize::MAX).len(), 3);
        channel.doubt();
        assert!(channel.come_back(6, 70, 0).unwrap());
        assert_eq!((now(five), now(six)), (Some(false), Some(true)));
        channel.take_again();
        assert_eq!(
            (now(seven), channel.take_sent(9, usize::MAX)),
            (Some(false), vec![(8, Byte([8]))])
        );
        let nine = publish(channel, 9).unwrap();
        assert_eq!(channel.next_serial(), 9);
        channel.give_up_before(9);
        assert_eq!((now(eight), channel.take_sent(9, usize::MAX).len()), (Some(false), 1));
        assert_eq!(channel.next_serial(), 10);
        drop(nine);
    }

    #[test]
    fn what_is_taken_at_once_is_bounded_by_bytes() {
        let (hub, _receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        channel.be_carried();
        let _arrivals = [1, 2, 3].map(|byte| publish(channel, byte).unwrap());
        assert_eq!(channel.take_sent(9, 2), [(0, Byte([1])), (1, Byte([2]))]);
        assert_eq!(channel.take_sent(9, 0), []);
        assert_eq!(channel.take_sent(9, 2), [(2, Byte([3]))]);
    }

    #[test]
    fn what_was_not_taken_can_be_withdrawn() {
        let (hub, mut receiver) = one_path(8);
        let channel = hub.channel("/").unwrap();
        channel.be_carried();
        let [one, two, three] = [1, 2, 3].map(|byte| publish(channel, byte).unwrap());
        assert_eq!(channel.take_sent(1, usize::MAX).len(), 1);
        assert!(!channel.withdraw(&one));
        channel.take_again();
        assert!(!channel.withdraw(&one));
        assert_eq!(channel.take_sent(1, usize::MAX).len(), 1);
        assert!(channel.withdraw(&two) && !channel.withdraw(&two));
        assert_eq!(now(two), Some(false));
        assert_eq!(channel.take_sent(9, usize::MAX), [(2, Byte([3]))]);
        for (serial, number) in [(0, 0), (2, 1)] {
            channel.come_back(serial, number, 0).unwrap();
        }
        assert_eq!((now(one), now(three)), (Some(true), Some(true)));
        assert_eq!(received(&mut receiver), [(1, 1), (3, 2)]);
        let mut free = 0;
        while channel.try_reserve().map(std::mem::forget).is_ok() {
            free += 1;
        }
        assert_eq!(free, 4, "the other half is for what others send");
    }
}
