//! What one client says, on its way to the handler.
//!
//! Messages are handled in their order, by one task at a time: whatever came
//! while it ran is the next one's. So those of one client never overtake each
//! other, those of many are handled side by side, and a client that says
//! nothing has no task.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use pode_core::Message;
use pode_core::frame::Close;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::push::raw_message::RawMessage;
use crate::push::session::{DisconnectReason, Session};

/// How many messages of a client may wait for their handler. While more do,
/// the client isn't read from, and the system holds it up.
const MAX_WAITING: usize = 64;

/// The same for their bytes, unless a single message has more.
const MAX_WAITING_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Inbox {
    session: Box<dyn Session>,
    waiting: Vec<RawMessage>,
    waiting_bytes: usize,
    /// The task that handles what came before.
    handling: Option<JoinHandle<()>>,
    /// The rule that the client broke at last. It is told when everything
    /// before is answered.
    pub(super) fault: Option<Close>,
    /// When the client came, or said something for the last time.
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
            last_said: Instant::now(),
        }
    }

    /// Takes a message; or returns what to tell a client that sends too many.
    pub(super) fn hear(&mut self, message: RawMessage) -> Result<(), Message> {
        self.last_said = Instant::now();
        self.session.admit()?;
        self.waiting_bytes += match &message {
            RawMessage::Text(text) => text.len(),
            RawMessage::Binary(bytes) => bytes.len(),
        };
        self.waiting.push(message);
        Ok(())
    }

    /// Tells whether nothing was said for so long, and all that was said is
    /// handled.
    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        self.is_idle() && self.last_said.elapsed() >= time
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING || self.waiting_bytes >= MAX_WAITING_BYTES
    }

    /// Whether everything that was said is handled.
    pub(super) fn is_idle(&self) -> bool {
        self.handling.is_none() && self.waiting.is_empty()
    }

    /// Has what waits handled, as soon as what came before is done: then it
    /// wakes the client's shard.
    pub(super) fn advance(&mut self, waker: &dyn Fn() -> Waker) {
        while !self.is_idle() {
            let handling = match &mut self.handling {
                Some(handling) => handling,
                None => {
                    self.waiting_bytes = 0;
                    let handling = self.session.handle(mem::take(&mut self.waiting));
                    self.handling.insert(handling)
                }
            };
            let waker = waker();
            if Pin::new(handling).poll(&mut Context::from_waker(&waker)).is_pending() {
                return;
            }
            self.handling = None;
        }
    }

    /// Ends the conversation: all that was said before is still handled.
    pub(super) fn leave(self, end: DisconnectReason) {
        let Inbox { mut session, waiting, handling, .. } = self;
        session.leave(end, handling, waiting);
    }
}
