//! Into a channel, or around it: while this process hands over to another,
//! messages go to the other process and come back in an order that both share.

use std::sync::Arc;

use pode_core::hub::{Channel, Position};
use pode_core::{Message, SendError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::{Permit, Signals};
use crate::base::count::Count;
use crate::push::engine::Envelope;

/// The queue to the other process. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Detour {
    queue: mpsc::Sender<Diverted>,
    /// True when everything in the queue has come back and channels are no
    /// longer diverted.
    over: watch::Receiver<bool>,
    /// How many envelopes have taken the detour and aren't back yet.
    underway: Arc<Count>,
}

/// Whether a message may take a detour although nobody waits until it has its
/// place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detours {
    Not,
    Too,
}

/// An envelope that takes the detour.
#[derive(Debug)]
pub(crate) struct Diverted {
    pub(crate) path: &'static str,
    /// The index of its channel among the path's channels.
    pub(crate) index: usize,
    pub(crate) envelope: Envelope,
    /// To be dropped when the envelope is in its channel.
    pub(crate) underway: UnderWay,
}

/// Counts an envelope that is underway, and notifies its sender when it no
/// longer is.
#[derive(Debug)]
pub(crate) struct UnderWay {
    count: Arc<Count>,
    _arrived: oneshot::Sender<()>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.count.remove();
    }
}

/// Resolves when an envelope is no longer underway.
type Arrival = oneshot::Receiver<()>;

impl Detour {
    pub(crate) fn new(queue: mpsc::Sender<Diverted>, over: watch::Receiver<bool>) -> Detour {
        Detour { queue, over, underway: Arc::default() }
    }

    /// Waits until every envelope that took the detour is back. Cancel safe.
    pub(crate) async fn idle(&self) {
        self.underway.zero().await;
    }

    fn divert(&self, channel: &Channel<Envelope>, envelope: Envelope) -> (Diverted, Arrival) {
        self.underway.add();
        let (arrived, arrival) = oneshot::channel();
        let underway = UnderWay { count: Arc::clone(&self.underway), _arrived: arrived };
        let (path, index) = (channel.path(), channel.index());
        (Diverted { path, index, envelope, underway }, arrival)
    }

    /// Waits for permits; `None` if the detour has ended meanwhile, and the
    /// channel is to be tried again.
    async fn reserve(
        &self,
        path: &'static str,
        queue_permits: usize,
        deadline: Instant,
    ) -> Result<Option<mpsc::PermitIterator<'_, Diverted>>, SendError> {
        let full = || {
            tracing::warn!(path, "the other process took no message in time; it was not sent");
            SendError::Full { path }
        };
        match timeout_at(deadline, self.queue.reserve_many(queue_permits)).await {
            Ok(Ok(queue_permits)) => Ok(Some(queue_permits)),
            Ok(Err(_closed)) => {
                // Messages that were sent before come first.
                let mut over = self.over.clone();
                let waited = timeout_at(deadline, over.wait_for(|over| *over)).await;
                match waited.map(|over| over.is_ok()) {
                    Ok(true) => Ok(None),
                    Ok(false) => Err(SendError::Stopped { path }),
                    Err(_) => Err(full()),
                }
            }
            Err(_) => Err(full()),
        }
    }

    fn divert_all(
        &self,
        queue_permits: mpsc::PermitIterator<'_, Diverted>,
        channels: &[&Channel<Envelope>],
        message: &Message,
    ) -> Vec<Arrival> {
        let divert = |(place, channel): (mpsc::Permit<'_, _>, &&Channel<Envelope>)| {
            let (diverted, arrival) = self.divert(channel, Envelope::Broadcast(message.clone()));
            place.send(diverted);
            arrival
        };
        queue_permits.zip(channels).map(divert).collect()
    }

    fn reserve_now(
        &self,
        path: &'static str,
        queue_permits: usize,
    ) -> Result<mpsc::PermitIterator<'_, Diverted>, SendError> {
        // If the detour has ended, there will be capacity after it.
        self.queue.try_reserve_many(queue_permits).map_err(|_| SendError::Full { path })
    }
}

impl Signals {
    /// Puts an envelope into a channel, or onto its detour, as soon as there is
    /// capacity.
    pub(super) async fn put(
        &self,
        channel: &Channel<Envelope>,
        envelope: Envelope,
        deadline: Instant,
    ) -> Result<Option<Position>, SendError> {
        loop {
            let permit = match channel.try_reserve() {
                Err(SendError::Full { .. }) => self.permit_in(channel, deadline).await?,
                permit => permit?,
            };
            if !permit.is_diverted() {
                return envelope.put(permit, 0);
            }
            drop(permit);
            // Without a detour, the channel is no longer diverted.
            let Some(detour) = self.detour() else { continue };
            if let Some(mut queue_permits) = detour.reserve(channel.path(), 1, deadline).await? {
                let (diverted, arrival) = detour.divert(channel, envelope);
                if let Some(place) = queue_permits.next() {
                    place.send(diverted);
                }
                arrive([arrival], deadline).await;
                return Ok(None);
            }
        }
    }

    /// As [`put`](Self::put), if there is capacity now.
    pub(super) fn put_now(
        &self,
        channel: &Channel<Envelope>,
        envelope: Envelope,
        detours: Detours,
    ) -> Result<(), SendError> {
        let permit = channel.try_reserve()?;
        if !permit.is_diverted() {
            return envelope.put(permit, 0).map(drop);
        }
        let path = channel.path();
        let detour = self.detour_now(detours).ok_or(SendError::Full { path })?;
        if let Some(place) = detour.reserve_now(path, 1)?.next() {
            place.send(detour.divert(channel, envelope).0);
        }
        Ok(())
    }

    /// Puts a message into every channel, or onto its detour, as soon as all
    /// have capacity.
    pub(super) async fn put_into_all(
        &self,
        message: &Message,
        deadline: Instant,
    ) -> Result<(), SendError> {
        loop {
            let mut permits = Vec::new();
            let mut elsewhere = Vec::new();
            for channel in self.hub().channels() {
                let permit = self.permit_in(channel, deadline).await?;
                // An envelope that comes back needs capacity, too.
                if permit.is_diverted() { elsewhere.push(channel) } else { permits.push(permit) }
            }
            let Some(first) = elsewhere.first() else { return put_all(permits, message) };
            let Some(detour) = self.detour() else { continue };
            if let Some(queue_permits) =
                detour.reserve(first.path(), elsewhere.len(), deadline).await?
            {
                let arrivals = detour.divert_all(queue_permits, &elsewhere, message);
                put_all(permits, message)?;
                arrive(arrivals, deadline).await;
                return Ok(());
            }
        }
    }

    fn detour_now(&self, detours: Detours) -> Option<Detour> {
        self.detour().filter(|_| detours == Detours::Too)
    }

    /// As [`put_into_all`](Self::put_into_all), if all have capacity now.
    pub(super) fn put_into_all_now(
        &self,
        message: &Message,
        detours: Detours,
    ) -> Result<(), SendError> {
        let mut permits = Vec::new();
        let mut elsewhere = Vec::new();
        for channel in self.hub().channels() {
            let permit = channel.try_reserve()?;
            if permit.is_diverted() { elsewhere.push(channel) } else { permits.push(permit) }
        }
        if let Some(first) = elsewhere.first() {
            let path = first.path();
            let detour = self.detour_now(detours).ok_or(SendError::Full { path })?;
            let queue_permits = detour.reserve_now(path, elsewhere.len())?;
            detour.divert_all(queue_permits, &elsewhere, message);
        }
        put_all(permits, message)
    }
}

/// Waits until every envelope has its place in the order. So if a caller sends
/// through the other process after its send here returned, that message comes
/// later. An envelope that isn't there at the deadline is still on its way.
async fn arrive(arrivals: impl IntoIterator<Item = Arrival>, deadline: Instant) {
    for arrival in arrivals {
        if timeout_at(deadline, arrival).await.is_err() {
            tracing::warn!("a message takes long on its way through the other process");
            return;
        }
    }
}

fn put_all(permits: Vec<Permit<'_>>, message: &Message) -> Result<(), SendError> {
    let put = |permit| Envelope::Broadcast(message.clone()).put(permit, 0).map(drop);
    permits.into_iter().try_for_each(put)
}
