//! The receiving side of a channel: receivers, which pace senders.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

use super::{Parcel, SharedLog, Slot};
use crate::message::Message;

/// A receiver of one signal path: takes each message once, in order.
///
/// When the last one of a path is dropped, senders get
/// [`SendError::Stopped`](crate::SendError::Stopped).
pub struct Receiver<T: Parcel = Message> {
    path: &'static str,
    receiving: Receiving<T>,
    /// The permit of the message that was taken last, and the number behind it.
    permit: Option<Arc<OwnedSemaphorePermit>>,
    number: u64,
    shared: Arc<Shared<T>>,
}

/// Either the receiver, or the future that owns it and waits. The future is
/// kept, since it is woken only as long as it lives.
struct Receiving<T> {
    receiver: Option<broadcast::Receiver<Slot<T>>>,
    waiting: Option<Pin<Box<dyn Future<Output = Received<T>> + Send>>>,
}

type Received<T> = (Result<Slot<T>, RecvError>, broadcast::Receiver<Slot<T>>);

/// The state that the receivers of a path share.
pub(super) struct Shared<T: Parcel> {
    pub(super) permits: Arc<Semaphore>,
    pub(super) capacity_messages: usize,
    /// Weak, so that receivers don't keep the channel open.
    pub(super) sender: broadcast::WeakSender<Slot<T>>,
    pub(super) log: Option<Arc<SharedLog<T>>>,
}

impl<T: Parcel> Drop for Shared<T> {
    fn drop(&mut self) {
        self.permits.close();
    }
}

/// Makes more receivers of a path.
pub struct ReceiverSource<T: Parcel = Message> {
    path: &'static str,
    shared: Weak<Shared<T>>,
}

impl<T: Parcel> Receiver<T> {
    pub(super) fn new(
        path: &'static str,
        receiver: broadcast::Receiver<Slot<T>>,
        shared: Arc<Shared<T>>,
    ) -> Receiver<T> {
        let receiving = Receiving { receiver: Some(receiver), waiting: None };
        Receiver { path, receiving, permit: None, number: 0, shared }
    }

    /// Returns the path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Returns the log of the path's channel, if it has one.
    pub fn log(&self) -> Option<&Arc<SharedLog<T>>> {
        self.shared.log.as_ref()
    }

    /// Returns the number behind what was taken last: that of the next message. 0
    /// if messages have none, or nothing was taken yet.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns how many messages wait for a receiver at most.
    pub fn capacity_messages(&self) -> usize {
        self.shared.capacity_messages
    }

    /// Returns the source of more receivers of this path.
    pub fn source(&self) -> ReceiverSource<T> {
        ReceiverSource { path: self.path, shared: Arc::downgrade(&self.shared) }
    }

    /// Waits for the next message, and releases the permit of the one before.
    ///
    /// A message thus holds its permit until each receiver asks for the next
    /// one: the slowest receiver sets the pace of senders. `None` when the hub
    /// was dropped and all its messages were taken. Cancel safe.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Takes the next message as [`next`](Self::next) does, or has the task
    /// woken when there is one.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.permit = None;
        let slot = match ready!(self.receiving.poll(context)) {
            Ok(slot) => slot,
            Err(RecvError::Closed) => return Poll::Ready(None),
            Err(RecvError::Lagged(lost)) => unreachable!(
                "{lost} messages overtook a delivery of `{}`, though senders need room",
                self.path
            ),
        };
        (self.permit, self.number) = (Some(slot.permit), slot.next);
        Poll::Ready(Some(slot.message))
    }

    /// Takes the next message if there is one now. A task that waits in
    /// [`poll_next`](Self::poll_next) must call that again.
    pub fn try_next(&mut self) -> Option<T> {
        match self.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(message) => message,
            Poll::Pending => None,
        }
    }

    /// Refuses further sends with
    /// [`SendError::Stopped`](crate::SendError::Stopped). Each receiver can still
    /// take every message whose send succeeded.
    pub fn close(&mut self) {
        self.shared.permits.close();
    }
}

impl<T: Parcel> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<T: Parcel> ReceiverSource<T> {
    /// Returns a receiver of every message that is sent from now on; `None`
    /// when the path has no other receiver any more, or the hub was dropped.
    pub fn receiver(&self) -> Option<Receiver<T>> {
        let shared = self.shared.upgrade()?;
        let receiver = shared.sender.upgrade()?.subscribe();
        Some(Receiver::new(self.path, receiver, shared))
    }
}

impl<T: Parcel> fmt::Debug for ReceiverSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverSource").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<T: Parcel> Receiving<T> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Slot<T>, RecvError>> {
        let waiting = match self.receiver.take() {
            Some(mut receiver) => {
                if let Ok(slot) = receiver.try_recv() {
                    self.receiver = Some(receiver);
                    return Poll::Ready(Ok(slot));
                }
                self.waiting.insert(Box::pin(receive(receiver)))
            }
            None => self.waiting.as_mut().expect("what isn't here waits there"),
        };
        let (received, receiver) = ready!(waiting.as_mut().poll(context));
        *self = Receiving { receiver: Some(receiver), waiting: None };
        Poll::Ready(received)
    }
}

async fn receive<T: Clone>(mut receiver: broadcast::Receiver<Slot<T>>) -> Received<T> {
    (receiver.recv().await, receiver)
}
