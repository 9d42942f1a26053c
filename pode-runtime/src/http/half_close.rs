//! Clients that have ended their side while a request of theirs is in progress.
//!
//! That doesn't tell whether a client still reads the answer, or has gone. So it
//! is waited for a while.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// What is known of the end of a client's side.
#[derive(Debug)]
pub(super) struct HalfClose {
    timeout: Duration,
    /// Present since the end was noticed.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl HalfClose {
    pub(super) fn new(timeout: Duration) -> HalfClose {
        HalfClose { timeout, waiting: None }
    }

    pub(super) fn is_noticed(&self) -> bool {
        self.waiting.is_some()
    }

    /// Notices the end; ready when the client has been waited for.
    pub(super) fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeout;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(timeout)));
        waiting.as_mut().poll(context)
    }

    /// Forgets the end, which is then noticed anew; returns whether it was known.
    pub(super) fn forget(&mut self) -> bool {
        self.waiting.take().is_some()
    }
}
