//! Into a channel, or around it: while this process hands over to another, what
//! is sent goes to that one and comes back in an order that both share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pode_core::hub::Channel;
use pode_core::{Message, SendError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::{Room, Signals};
use crate::engine::Parcel;

/// The way to the other process. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Detour {
    queue: mpsc::Sender<Diverted>,
    /// Holds true when everything in the queue came back, and channels are as
    /// they were.
    over: watch::Receiver<bool>,
    /// How much has taken it and isn't back yet.
    underway: Arc<AtomicUsize>,
}

/// What takes the detour.
#[derive(Debug)]
pub(crate) struct Diverted {
    pub(crate) path: &'static str,
    /// Which of the path's channels it is for.
    pub(crate) index: usize,
    pub(crate) parcel: Parcel,
    /// Counts it until it is back.
    _counted: Counted,
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Detour {
    pub(crate) fn new(queue: mpsc::Sender<Diverted>, over: watch::Receiver<bool>) -> Detour {
        Detour { queue, over, underway: Arc::default() }
    }

    /// Tells whether everything that has taken it is back.
    pub(crate) fn is_idle(&self) -> bool {
        self.underway.load(Ordering::Acquire) == 0
    }

    fn divert(&self, channel: &Channel<Parcel>, parcel: Parcel) -> Diverted {
        self.underway.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(Arc::clone(&self.underway));
        Diverted { path: channel.path(), index: channel.index(), parcel, _counted: counted }
    }

    /// Waits for places; `None` if the detour has come to its end meanwhile, and
    /// the channel is to be tried again.
    async fn reserve(
        &self,
        path: &'static str,
        places: usize,
        deadline: Instant,
    ) -> Result<Option<mpsc::PermitIterator<'_, Diverted>>, SendError> {
        let full = || {
            tracing::warn!(path, "the other process took no message in time; it was not sent");
            SendError::Full { path }
        };
        match timeout_at(deadline, self.queue.reserve_many(places)).await {
            Ok(Ok(places)) => Ok(Some(places)),
            Ok(Err(_closed)) => {
                // What was sent before comes first.
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
        places: mpsc::PermitIterator<'_, Diverted>,
        channels: &[&Channel<Parcel>],
        message: &Message,
    ) {
        for (place, channel) in places.zip(channels) {
            place.send(self.divert(channel, Parcel::Broadcast(message.clone())));
        }
    }

    fn reserve_now(
        &self,
        path: &'static str,
        places: usize,
    ) -> Result<mpsc::PermitIterator<'_, Diverted>, SendError> {
        // If it is at its end, there will be room behind it.
        self.queue.try_reserve_many(places).map_err(|_| SendError::Full { path })
    }
}

impl Signals {
    /// Puts a parcel into a channel, or onto its detour, as soon as there is
    /// room.
    pub(super) async fn put(
        &self,
        channel: &Channel<Parcel>,
        parcel: Parcel,
        deadline: Instant,
    ) -> Result<(), SendError> {
        loop {
            let room = match channel.try_reserve() {
                Err(SendError::Full { .. }) => self.room_in(channel, deadline).await?,
                room => room?,
            };
            if !room.is_diverted() {
                return parcel.put(room, 0);
            }
            drop(room);
            // Without a detour, the channel is itself again.
            let Some(detour) = self.detour() else { continue };
            if let Some(mut places) = detour.reserve(channel.path(), 1, deadline).await? {
                if let Some(place) = places.next() {
                    place.send(detour.divert(channel, parcel));
                }
                return Ok(());
            }
        }
    }

    /// Does it if there is room now.
    pub(super) fn put_now(
        &self,
        channel: &Channel<Parcel>,
        parcel: Parcel,
    ) -> Result<(), SendError> {
        let room = channel.try_reserve()?;
        if !room.is_diverted() {
            return parcel.put(room, 0);
        }
        let path = channel.path();
        let detour = self.detour().ok_or(SendError::Full { path })?;
        if let Some(place) = detour.reserve_now(path, 1)?.next() {
            place.send(detour.divert(channel, parcel));
        }
        Ok(())
    }

    /// Puts a message into every channel, or onto its detour, as soon as there
    /// is room everywhere.
    pub(super) async fn put_into_all(
        &self,
        message: &Message,
        deadline: Instant,
    ) -> Result<(), SendError> {
        loop {
            let mut rooms = Vec::new();
            let mut elsewhere = Vec::new();
            for channel in self.hub().channels() {
                let room = self.room_in(channel, deadline).await?;
                // What comes back needs room, too.
                if room.is_diverted() { elsewhere.push(channel) } else { rooms.push(room) }
            }
            let Some(first) = elsewhere.first() else { return put_all(rooms, message) };
            let Some(detour) = self.detour() else { continue };
            if let Some(places) = detour.reserve(first.path(), elsewhere.len(), deadline).await? {
                detour.divert_all(places, &elsewhere, message);
                return put_all(rooms, message);
            }
        }
    }

    /// Does it if there is room everywhere now.
    pub(super) fn put_into_all_now(&self, message: &Message) -> Result<(), SendError> {
        let mut rooms = Vec::new();
        let mut elsewhere = Vec::new();
        for channel in self.hub().channels() {
            let room = channel.try_reserve()?;
            if room.is_diverted() { elsewhere.push(channel) } else { rooms.push(room) }
        }
        if let Some(first) = elsewhere.first() {
            let path = first.path();
            let detour = self.detour().ok_or(SendError::Full { path })?;
            let places = detour.reserve_now(path, elsewhere.len())?;
            detour.divert_all(places, &elsewhere, message);
        }
        put_all(rooms, message)
    }
}

fn put_all(rooms: Vec<Room<'_>>, message: &Message) -> Result<(), SendError> {
    rooms.into_iter().try_for_each(|room| Parcel::Broadcast(message.clone()).put(room, 0))
}
