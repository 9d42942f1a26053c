//! Whether a client is still there, and says anything.

use std::mem;
use std::time::Duration;

use bytes::Bytes;

use super::{Client, Liveness};

/// A ping without a payload.
const PING: &[u8] = b"\x89\0";

impl Client {
    /// Asks the client whether it is still there; false if it gave no sign
    /// since it was asked the last time. Anything that comes is one, and so is
    /// that something which waits goes out. Whoever has just come is asked at
    /// the next turn. Whoever isn't listened to, because
    /// its handler has enough to do, can't give any.
    pub(in super::super) fn ask_for_life(&mut self) -> bool {
        // A client that is being closed has its own deadline.
        if self.socket.is_none() || !self.is_open() || mem::take(&mut self.is_new) {
            return true;
        }
        if self.liveness == Liveness::Asked && !self.is_full() {
            return false;
        }
        self.send_queue.get_or_insert_default().ping = Some(Bytes::from_static(PING));
        self.write();
        // That the question went out is no sign.
        self.liveness = Liveness::Asked;
        true
    }

    /// Tells whether a message that has begun trickles, by fewer bytes than these
    /// since this was asked before.
    pub(in super::super) fn trickles(&mut self, least_bytes: usize) -> bool {
        self.is_open() && self.decoder.falls_behind(least_bytes)
    }

    /// Tells whether the client has said nothing for so long.
    pub(in super::super) fn is_idle_for(&self, time: Duration) -> bool {
        let inbox = self.subscriber.inbox.as_ref();
        self.is_open() && inbox.is_some_and(|it| it.is_idle_for(time))
    }
}
