//! A message on its way into its channel: its audience, and the wait for
//! capacity.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pode_core::latest_by::MAX_KEY_BYTES;
use pode_core::level::{self, Addressed, Level, ReachesGroups, Sendable};
use pode_core::{ClientId, Message, SendError};

use super::{Permit, Signals, Underway, arrive};
use crate::push::engine::{Audience, Envelope, Recipients};

#[derive(Debug)]
pub(super) enum Target {
    /// With the key of the message, if it has one.
    Signal(&'static str, Audience, Option<Arc<str>>),
    All,
}

impl Target {
    /// Publishes a message in each of its channels; returns what goes through another
    /// process, or a backplane.
    pub(super) fn publish<'hub>(
        &self,
        permits: impl IntoIterator<Item = Permit<'hub>>,
        message: &Message,
    ) -> Result<Vec<Underway>, SendError> {
        if let Target::Signal(path, _, Some(key)) = self
            && key.len() > MAX_KEY_BYTES
        {
            return Err(SendError::Key { path, bytes: key.len() });
        }
        let envelope = || match self {
            Target::Signal(_, audience, Some(key)) => {
                Envelope::keyed(audience.path.clone(), Arc::clone(key), message.clone())
            }
            Target::Signal(_, audience, None) => Envelope::new(audience.clone(), message.clone()),
            Target::All => Envelope::Broadcast(message.clone()),
        };
        let publish = |permit: Permit<'hub>| {
            let channel = permit.channel();
            let arrival = envelope().publish(permit).transpose()?;
            Some(arrival.map(|arrival| (channel.clone(), arrival)))
        };
        permits.into_iter().filter_map(publish).collect()
    }
}

/// A message that is sent when this is awaited.
///
/// `L` is how widely it may be sent: a [level], or [`Addressed`] once a group
/// or client is named.
#[must_use = "nothing is sent until this is awaited"]
pub struct Sending<L = level::Name> {
    signals: Signals,
    target: Target,
    message: Result<Message, SendError>,
    level: PhantomData<fn() -> L>,
}

impl<L: Level> Sending<L> {
    /// Sends only to the members of a group.
    pub fn to_group(self, group: &str) -> Sending<Addressed>
    where
        // The bound is here rather than on the `impl`, so that rustc reports
        // what is wrong.
        L: ReachesGroups,
    {
        self.recipients(Recipients::Group(group.into()))
    }

    /// Sends only to one client. If it isn't connected, nobody gets it; but where the
    /// signal has a history, a client that comes back as the same (by a ticket of
    /// `pode.v1`, or since `on connect` sets its id) and resumes gets it then.
    pub fn to_client(self, client: &ClientId) -> Sending<Addressed> {
        self.recipients(Recipients::Client(client.clone()))
    }
}

impl<L> Sending<L> {
    pub(super) fn new(
        signals: Signals,
        target: Target,
        message: Result<Message, SendError>,
    ) -> Sending<L> {
        Sending { signals, target, message, level: PhantomData }
    }

    /// Excludes a client, usually the one that caused the message.
    pub fn except(mut self, client: &ClientId) -> Sending<L> {
        if let Target::Signal(_, audience, key) = &mut self.target {
            audience.except = Some(client.clone());
            *key = None;
        }
        self
    }

    /// Sends if the channel has capacity now.
    ///
    /// # Errors
    ///
    /// As when it is awaited, with [`SendError::Full`] at once if the channel
    /// is full.
    pub fn try_now(self) -> Result<(), SendError>
    where
        L: Sendable,
    {
        self.signals.send_now(&self.target, &self.message?).map(drop)
    }

    fn recipients(self, recipients: Recipients) -> Sending<Addressed> {
        let Sending { signals, mut target, message, .. } = self;
        if let Target::Signal(_, audience, key) = &mut target {
            audience.recipients = recipients;
            *key = None;
        }
        Sending { signals, target, message, level: PhantomData }
    }
}

impl<L: Sendable> IntoFuture for Sending<L> {
    type Output = Result<(), SendError>;
    type IntoFuture = SendFuture;

    fn into_future(self) -> SendFuture {
        let Sending { signals, target, message, .. } = self;
        SendFuture { state: State::Fresh(Some((signals, target, message))) }
    }
}

/// The future of a [`Sending`].
#[must_use = "nothing is sent until this is awaited"]
pub struct SendFuture {
    state: State,
}

enum State {
    /// Not polled yet. If there is capacity, as there nearly always is, the
    /// first poll is the last, and nothing is allocated on the heap.
    Fresh(Option<(Signals, Target, Result<Message, SendError>)>),
    Waiting(Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>),
}

impl Future for SendFuture {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Fresh(sending) = &mut self.state {
            let (signals, target, message) =
                sending.take().expect("a future is not polled again after it was ready");
            let message = message?;
            match signals.send_now(&target, &message) {
                Ok(arrivals) if arrivals.is_empty() => return Poll::Ready(Ok(())),
                Ok(arrivals) => {
                    let deadline = signals.deadline();
                    self.state = State::Waiting(Box::pin(arrive(arrivals, deadline)));
                }
                Err(SendError::Full { .. }) => {
                    self.state = State::Waiting(Box::pin(signals.send_soon(target, message)));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        match &mut self.state {
            State::Waiting(waiting) => waiting.as_mut().poll(context),
            State::Fresh(_) => unreachable!("a fresh one was ready or waits now"),
        }
    }
}

impl<L> fmt::Debug for Sending<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("target", &self.target)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SendFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFuture").finish_non_exhaustive()
    }
}
