//! Heartbeat and idle checks of a client.

use std::time::Duration;

use bytes::Bytes;

use super::super::form::{self, Form};
use super::{Client, Liveness, Reading};

/// A ping without a payload.
const PING: &[u8] = b"\x89\0";

impl Client {
    /// Pings the client. Returns false if it showed no liveness since the last
    /// ping. Any received data counts, and so does queued data that the socket
    /// takes. A client that has just connected is pinged at its next turn. A
    /// client that isn't read from, because its inbox is full, can't show
    /// liveness and stays connected.
    ///
    /// A client of `pode.v1` that waits for nothing gets a beacon with its position,
    /// if messages have numbers.
    pub(in super::super) fn ask_for_life(&mut self, at: Option<u64>) -> bool {
        // A client that is being closed has its own deadline.
        if self.socket.is_none() || !self.is_open() {
            return true;
        }
        match self.liveness {
            Liveness::New => {
                self.liveness = Liveness::Seen;
                return true;
            }
            Liveness::Asked if !self.is_full() => return false,
            Liveness::Seen | Liveness::Asked => {}
        }
        let ping = match self.form() {
            Form::V1 if self.send_queue.is_none() => [PING, &form::beacon(at)].concat().into(),
            _ => Bytes::from_static(PING),
        };
        self.send_queue.get_or_insert_default().ping = Some(ping);
        self.write(None);
        // That the ping was written doesn't count.
        self.liveness = Liveness::Asked;
        true
    }

    /// Returns whether a message that has begun got fewer than these bytes
    /// since the last call, although it was read.
    pub(in super::super) fn trickles(&mut self, least_bytes: usize) -> bool {
        if self.reading != Reading::Frames || self.is_held() {
            self.decoder.excuse();
        }
        self.is_open() && self.decoder.falls_behind(least_bytes)
    }

    /// Returns whether the client has sent no message for this long.
    pub(in super::super) fn is_idle_for(&self, time: Duration) -> bool {
        let inbox = self.subscriber.inbox.as_ref();
        self.is_open() && inbox.is_some_and(|it| it.is_idle_for(time))
    }
}
