//! The inbox: one client's messages, on their way to the handler.
//!
//! Messages are handled in their order, by one task at a time; messages that
//! came while it ran go to the next task. So messages of one client never
//! overtake each other, messages of different clients are handled in parallel,
//! and a client that sends nothing has no task.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::net::connection_limit::SharedPermit;
use crate::push::raw_message::RawMessage;
use crate::push::session::{DisconnectReason, Fault, Incoming, Session};

/// How many messages of a client may wait for their handler. While so many
/// wait, the client isn't read from, and TCP flow control stops it.
const MAX_WAITING: usize = 64;

/// The same limit for their bytes, unless a single message has more.
const MAX_WAITING_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Inbox {
    session: Box<dyn Session>,
    waiting: Vec<Incoming>,
    waiting_bytes: usize,
    /// The task that handles the previous messages.
    handling: Option<JoinHandle<()>>,
    pub(super) fault: Option<Fault>,
    /// Whether the client is being answered.
    is_taken: bool,
    /// Kept until all messages are handled, and of a client that is being closed,
    /// until the session has ended.
    #[cfg(feature = "test")]
    pub(super) handled: Vec<tokio::sync::mpsc::Sender<()>>,
    /// When the client connected, or sent its last message.
    last_said: Instant,
}

impl Inbox {
    pub(super) fn new(session: Box<dyn Session>) -> Inbox {
        Inbox {
            session,
            waiting: Vec::new(),
            waiting_bytes: 0,
            handling: None,
            fault: None,
            is_taken: false,
            #[cfg(feature = "test")]
            handled: Vec::new(),
            last_said: Instant::now(),
        }
    }

    /// Takes a message; or returns the fault of a client that sends too many, or what
    /// is no message.
    pub(super) fn receive(&mut self, message: RawMessage) -> Result<(), Fault> {
        self.last_said = Instant::now();
        if let Some(incoming) = self.session.accept(message)? {
            self.waiting_bytes += match &incoming.message {
                RawMessage::Text(text) => text.len(),
                RawMessage::Binary(bytes) => bytes.len(),
            };
            self.waiting.push(incoming);
        }
        Ok(())
    }

    /// Returns whether no message came for this long, and all messages are
    /// handled.
    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        self.is_idle() && self.last_said.elapsed() >= time
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING || self.waiting_bytes >= MAX_WAITING_BYTES
    }

    /// Whether all messages are handled.
    pub(super) fn is_idle(&self) -> bool {
        self.handling.is_none() && self.waiting.is_empty()
    }

    /// Has the waiting messages handled as soon as the previous ones are done.
    /// When they are, the waker wakes the client's shard. Returns whether any is handled no
    /// more, as another connection goes on with the client's messages.
    pub(super) fn advance(&mut self, waker: &dyn Fn() -> Waker) -> bool {
        let mut has_ended = false;
        while !self.is_idle() {
            let handling = match &mut self.handling {
                Some(handling) => handling,
                None => {
                    self.waiting_bytes = 0;
                    let handling = self.session.handle(mem::take(&mut self.waiting), waker());
                    self.handling.insert(handling)
                }
            };
            let waker = waker();
            if Pin::new(handling).poll(&mut Context::from_waker(&waker)).is_pending() {
                break;
            }
            self.handling = None;
            has_ended = true;
        }
        has_ended && self.session.is_elsewhere()
    }

    /// Whether the client has to be told of its fault, or that messages are handled:
    /// up to this number, if they have numbers. Says so once, until the client
    /// [is answered](Self::is_answered).
    pub(super) fn take_answer(&mut self) -> Option<Option<u64>> {
        let handled = self.session.handled();
        let is_due = handled.is_some() || self.fault.is_some() && self.is_idle();
        (is_due && !mem::replace(&mut self.is_taken, is_due)).then_some(handled)
    }

    /// Whether the client is to be told of messages that are handled, or that will be.
    pub(super) fn owes_acknowledgement(&self) -> bool {
        self.handled().is_some() || !self.is_idle() && self.sequence().is_some()
    }

    /// Returns the number up to which messages are handled, unless the client was told
    /// so.
    pub(super) fn handled(&self) -> Option<u64> {
        self.session.handled()
    }

    /// Notes that the client is told so; returns whether that is news.
    pub(super) fn acknowledge(&mut self, number: u64) -> bool {
        self.session.acknowledge(number)
    }

    /// Notes that the client is being answered.
    pub(super) fn is_answered(&mut self) {
        self.is_taken = false;
    }

    /// Returns what names the sequence of its messages.
    pub(super) fn sequence(&self) -> Option<[u8; 16]> {
        self.session.sequence()
    }

    /// Returns what counts the client until its session has ended.
    pub(super) fn permit(&self) -> Option<&SharedPermit> {
        self.session.permit()
    }

    /// Ends the session: all messages that came before are still handled.
    pub(super) fn leave(self, end: DisconnectReason) {
        let Inbox { mut session, waiting, handling, .. } = self;
        session.leave(end, handling, waiting);
    }
}
