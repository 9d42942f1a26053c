//! Changes of who is present, on their way into the channels.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use pode_core::SendError;
use pode_core::hub::{Attending, Channel, Log, PresenceChange, Present, Stay};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Attendances, Permit, Signals, Who};
#[cfg(feature = "redis")]
use crate::push::engine::random_epoch;
use crate::push::engine::{Command, Envelope};

/// How many clients of a process are present without a connection at most: whoever comes
/// and is cut off again and again takes no more memory. Some 130 MiB if each tells as much
/// as it may.
const MAX_AWAY: usize = 1 << 16;

impl Signals {
    /// Returns the number of the next stay.
    pub(crate) fn begin_stay(&self) -> u64 {
        self.shared.stays.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns what names this process among those that have clients who are present.
    pub(crate) fn presence_node(&self) -> u64 {
        self.attending().node
    }

    /// Returns for how long a client of a signal is present after its connection has ended;
    /// `None` if nobody is present there.
    pub(crate) fn presence_grace(&self, signal: &str) -> Option<Duration> {
        self.shared.presence_graces.get(signal).copied()
    }

    /// Notes that a client may come back; returns what is notified when it does. `None` if
    /// too many may already, for whom nobody knows whether they do.
    pub(crate) fn is_away(&self, who: Who) -> Option<Arc<Notify>> {
        let mut away = self.away();
        if away.len() >= MAX_AWAY && !away.contains_key(&who) {
            return None;
        }
        let is_back = Arc::new(Notify::new());
        if let Some(earlier) = away.insert(who, Arc::clone(&is_back)) {
            earlier.notify_one();
        }
        Some(is_back)
    }

    /// Whether a client is present by another stay than this one, in whatever process.
    pub(crate) fn has_other_stay(&self, (signal, path, id): &Who, number: u64) -> bool {
        let own = Stay { node: self.presence_node(), number };
        let is_other = |present: &Present| present.stays.iter().any(|stay| *stay != own);
        let log = self.channel(signal, path.as_deref()).ok().and_then(Channel::log);
        log.is_some_and(|log| log.with(|log| log.presence().client(path, id).is_some_and(is_other)))
    }

    /// Ends the time that a client has to come back.
    pub(crate) fn is_back(&self, who: &Who) {
        if let Some(is_back) = self.away().remove(who) {
            is_back.notify_one();
        }
    }

    /// Notes that this time has ended.
    pub(crate) fn is_away_no_more(&self, who: &Who, is_back: &Arc<Notify>) {
        let mut away = self.away();
        if away.get(who).is_some_and(|other| Arc::ptr_eq(other, is_back)) {
            away.remove(who);
            // A peak leaves no memory behind.
            if away.is_empty() {
                *away = HashMap::new();
            }
        }
    }

    fn away(&self) -> MutexGuard<'_, HashMap<Who, Arc<Notify>>> {
        // No code that holds the lock can panic midway.
        self.shared.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a client be present, as soon as there is capacity; a backplane may still be on it
    /// when this returns.
    pub(crate) async fn join(
        &self,
        signal: &'static str,
        client: Attending,
    ) -> Result<(), SendError> {
        let channel = self.channel(signal, client.path.as_deref())?;
        let permit = self.permit_in(channel, self.deadline()).await?;
        let is_carried = channel.is_carried();
        // All that this process says of its clients has one order.
        let mut attending = self.attending();
        let stay = Stay { node: attending.node, number: client.number };
        let Attending { path, id, info, number } = client.clone();
        if is_carried {
            attending.clients.insert(number, (signal, client));
            attending.told.insert((channel.path(), channel.index()));
        }
        envelope(PresenceChange::Join { path, id, info, stay }).publish(permit).map(drop)
    }

    /// Ends a stay, however long that takes.
    pub(crate) async fn leave(&self, (signal, path, id): &Who, number: u64) {
        let Ok(channel) = self.channel(signal, path.as_deref()) else { return };
        let Some(permit) = self.permit_sometime(channel).await else { return };
        let mut attending = self.attending();
        attending.clients.remove(&number);
        if attending.clients.is_empty() {
            attending.clients = HashMap::new();
        }
        let stay = Stay { node: attending.node, number };
        let change = PresenceChange::Leave { path: path.clone(), id: id.clone(), stay };
        // If nobody receives any more, nobody is there.
        let _ = envelope(change).publish(permit);
    }

    /// Says who all clients of this process are that are present in a channel, if there ever
    /// was any.
    #[cfg(feature = "redis")]
    pub(crate) async fn announce(&self, channel: &Channel<Envelope>) {
        let Some(permit) = self.permit_sometime(channel).await else { return };
        let attending = self.attending();
        if !attending.told.contains(&(channel.path(), channel.index())) {
            return;
        }
        let is_there = |signal, client: &Attending| {
            let other = self.channel(signal, client.path.as_deref());
            other.is_ok_and(|it| (it.path(), it.index()) == (channel.path(), channel.index()))
        };
        let clients = attending.clients.values().filter(|(signal, it)| is_there(signal, it));
        let clients: Vec<_> = clients.map(|(_, client)| client.clone()).collect();
        let all = PresenceChange::All { node: attending.node, clients };
        let _ = envelope(all).publish(permit);
    }

    /// Changes who is present in a channel, however long that takes.
    pub(crate) async fn change_in(&self, channel: &Channel<Envelope>, change: PresenceChange) {
        if let Some(permit) = self.permit_sometime(channel).await {
            let _ = envelope(change).publish(permit);
        }
    }

    /// Takes another name: what is told of the one before is over.
    #[cfg(feature = "redis")]
    pub(crate) fn rename_presence_node(&self) {
        self.attending().node = random_epoch();
    }

    fn attending(&self) -> MutexGuard<'_, Attendances> {
        // No code that holds the lock can panic midway.
        self.shared.attending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for capacity; `None` if nobody receives any more.
    async fn permit_sometime<'hub>(
        &self,
        channel: &'hub Channel<Envelope>,
    ) -> Option<Permit<'hub>> {
        channel.reserve().await.ok()
    }

    /// Ends the stays of processes that are gone, once their clients have had the time to
    /// come to this one.
    pub(crate) fn end_other_stays(&self) {
        // Without a runtime, everything has ended.
        let Ok(runtime) = Handle::try_current() else { return };
        let node = self.presence_node();
        for channel in self.hub().channels().filter(|channel| !channel.is_carried()) {
            let Some(grace) = self.presence_grace(channel.path()) else { continue };
            let is_other = |other: &u64| *other != node;
            let has_others = |log: &Log<_>| log.presence().nodes().iter().any(is_other);
            if channel.log().is_some_and(|log| log.with(|log| has_others(log))) {
                let (signals, channel) = (self.clone(), channel.clone());
                runtime.spawn(async move {
                    sleep(grace).await;
                    signals.change_in(&channel, PresenceChange::Only { node }).await;
                });
            }
        }
    }
}

fn envelope(change: PresenceChange) -> Envelope {
    Envelope::Command(Arc::new(Command::Presence(change)))
}
