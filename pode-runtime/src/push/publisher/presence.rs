//! Changes of who is present, on their way into the channels.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use pode_core::SendError;
use pode_core::hub::{Channel, PresenceChange, Stay};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Signals, Who, arrive};
use crate::push::engine::{Command, Envelope};

/// How long to wait if a change can't be made.
const PAUSE: Duration = Duration::from_millis(200);

impl Signals {
    /// Begins a stay of a client.
    pub(crate) fn begin_stay(&self) -> Stay {
        let number = self.shared.stays.fetch_add(1, Ordering::Relaxed);
        Stay { node: self.shared.node, number }
    }

    /// Returns for how long a client of a signal is present after its connection has ended;
    /// `None` if nobody is present there.
    pub(crate) fn presence_grace(&self, signal: &str) -> Option<Duration> {
        self.shared.presence_graces.get(signal).copied()
    }

    /// Notes that a client may come back; returns what is notified when it does.
    pub(crate) fn is_away(&self, who: Who) -> Arc<Notify> {
        let is_back = Arc::new(Notify::new());
        if let Some(earlier) = self.away().insert(who, Arc::clone(&is_back)) {
            earlier.notify_one();
        }
        is_back
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

    /// Changes who is present at a path, as soon as there is capacity. A backplane may
    /// still be on it when this returns.
    pub(crate) async fn begin_change(
        &self,
        signal: &'static str,
        path: Option<&str>,
        change: PresenceChange,
    ) -> Result<(), SendError> {
        let permit = self.permit_in(self.channel(signal, path)?, self.deadline()).await?;
        envelope(change).publish(permit).map(drop)
    }

    /// Changes who is present at a path, however long that takes.
    pub(crate) async fn change_surely(
        &self,
        signal: &'static str,
        path: Option<&str>,
        change: PresenceChange,
    ) {
        if let Ok(channel) = self.channel(signal, path) {
            self.change_in(channel, change).await;
        }
    }

    /// Ends the stays of processes that are gone, once their clients have had the time to
    /// come to this one.
    pub(crate) fn end_other_stays(&self) {
        // Without a runtime, everything has ended.
        let Ok(runtime) = Handle::try_current() else { return };
        let node = self.shared.node;
        for channel in self.hub().channels().filter(|channel| !channel.is_carried()) {
            let Some(grace) = self.presence_grace(channel.path()) else { continue };
            let has_others =
                channel.log().is_some_and(|log| log.with(|log| log.presence().has_others(node)));
            if has_others {
                let (signals, channel) = (self.clone(), channel.clone());
                runtime.spawn(async move {
                    sleep(grace).await;
                    signals.change_in(&channel, PresenceChange::Only { node }).await;
                });
            }
        }
    }

    async fn change_in(&self, channel: &Channel<Envelope>, change: PresenceChange) {
        loop {
            let deadline = self.deadline();
            let changed = async {
                let permit = self.permit_in(channel, deadline).await?;
                let arrival = envelope(change.clone()).publish(permit)?;
                arrive(arrival.map(|arrival| (channel.clone(), arrival)), deadline).await
            };
            match changed.await {
                Ok(()) | Err(SendError::Stopped { .. }) => return,
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

fn envelope(change: PresenceChange) -> Envelope {
    Envelope::Command(Arc::new(Command::Presence(change)))
}
