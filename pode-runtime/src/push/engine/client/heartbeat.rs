//! Heartbeat and idle checks of a client.

use std::time::Duration;

use bytes::Bytes;
use pode_core::hub::Position;

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
    /// if messages have numbers. One that hears an event stream can't answer: it is alive
    /// as long as it takes what it gets.
    pub(in super::super) fn ask_for_life(&mut self, at: Option<Position>) -> bool {
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
        let waits = self.send_queue.is_some();
        let ping = match self.form() {
            Form::V1 if !waits => {
                let beacon = form::beacon(at.map(|at| at.number));
                [PING, &beacon].concat().into()
            }
            Form::Plain | Form::V1 => Bytes::from_static(PING),
            Form::Events => form::beacon_event(at.filter(|_| !waits)),
        };
        self.send_queue.get_or_insert_default().ping = Some(ping);
        self.write(None);
        let is_taken = self.form() == Form::Events && self.send_queue.is_none();
        // That the ping was written doesn't count.
        self.liveness = if is_taken { Liveness::Seen } else { Liveness::Asked };
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
