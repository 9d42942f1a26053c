//! Presence: what others of its path are told of a client, as long as it is there.

use std::sync::Arc;

use pode_core::hub::Attending;
use pode_core::presence::MAX_INFO_BYTES;
use pode_core::{ClientId, SendError};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::push::publisher::{Signals, Who};

/// What a connection tells of its client.
#[derive(Debug)]
pub(crate) struct Attendance {
    signals: Signals,
    signal: &'static str,
    path: Option<Arc<str>>,
    id: ClientId,
    /// The number of its stay.
    number: u64,
    /// Whether another connection may have this id.
    may_return: bool,
    /// Held while a change is on its way, so that none overtakes another.
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Present,
    Gone,
}

/// Returns what is told of a client, as JSON.
pub(crate) fn info_of<T: Serialize + ?Sized>(
    signals: &Signals,
    signal: &'static str,
    info: &T,
) -> Result<Arc<str>, SendError> {
    if signals.presence_grace(signal).is_none() {
        return Err(SendError::NoPresence { path: signal });
    }
    let encoded = serde_json::to_string(info);
    let info = encoded.map_err(|source| SendError::Encode { path: signal, source })?;
    match info.len() {
        bytes if bytes > MAX_INFO_BYTES => Err(SendError::Info { path: signal, bytes }),
        _ => Ok(info.into()),
    }
}

impl Attendance {
    /// Begins that of a client of whom nothing is told yet.
    pub(crate) fn new(
        signals: Signals,
        signal: &'static str,
        path: Option<Arc<str>>,
        id: ClientId,
        may_return: bool,
    ) -> Attendance {
        let (number, state) = (signals.begin_stay(), Mutex::new(State::Unknown));
        Attendance { signals, signal, path, id, number, may_return, state }
    }

    /// Has the client be present before it is admitted.
    pub(crate) async fn begin(&self, info: Arc<str>) -> Result<(), SendError> {
        let mut state = self.state.lock().await;
        self.join(info).await?;
        *state = State::Present;
        self.signals.is_back(&self.who());
        Ok(())
    }

    /// Has the client be present, unless it has gone.
    pub(crate) async fn tell<T: Serialize + ?Sized>(&self, info: &T) -> Result<(), SendError> {
        let info = info_of(&self.signals, self.signal, info)?;
        let mut state = self.state.lock().await;
        if *state == State::Gone {
            return Ok(());
        }
        // If this is dropped midway, it may have been told.
        *state = State::Present;
        self.join(info).await
    }

    /// Has the client leave after the grace of its signal, or at once if it doesn't come
    /// back, or too many others may. It stays if it has come back by then.
    pub(crate) fn end(self: Arc<Self>, comes_back: bool) {
        if let Ok(mut state) = self.state.try_lock()
            && *state == State::Unknown
        {
            *state = State::Gone;
            return;
        }
        let grace =
            self.signals.presence_grace(self.signal).filter(|_| comes_back && self.may_return);
        // Without a runtime, everything has ended.
        let Ok(runtime) = Handle::try_current() else { return };
        let away = grace.and_then(|grace| {
            let is_back = self.signals.is_away(self.who())?;
            // It may have come back already, to another node too.
            if self.signals.has_other_stay(&self.who(), self.number) {
                is_back.notify_one();
            }
            Some((grace, is_back))
        });
        runtime.spawn(async move {
            if let Some((grace, is_back)) = away {
                let _ = timeout(grace, is_back.notified()).await;
                self.signals.is_away_no_more(&self.who(), &is_back);
            }
            let mut state = self.state.lock().await;
            if std::mem::replace(&mut *state, State::Gone) == State::Present {
                self.signals.leave(&self.who(), self.number).await;
            }
        });
    }

    fn who(&self) -> Who {
        (self.signal, self.path.clone(), self.id.clone())
    }

    async fn join(&self, info: Arc<str>) -> Result<(), SendError> {
        let (path, id, number) = (self.path.clone(), self.id.clone(), self.number);
        self.signals.join(self.signal, Attending { path, id, info, number }).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use pode_core::hub::{Hub, Log, LogBounds, Position, Receiver};

    use tokio::time::sleep;

    use super::*;
    use crate::push::engine::{Audience, Envelope};

    const GRACE: Duration = Duration::from_secs(15);

    fn one_path(capacity_messages: usize) -> (Signals, Receiver<Envelope>) {
        let log = Log::<Audience>::new(Position { epoch: 1, number: 0 }, LogBounds::default());
        let (hub, mut receivers) = Hub::with_logs([("/", capacity_messages, Some(log))]);
        let graces = HashMap::from([("/", GRACE)]);
        let signals = Signals::with_presence(hub, Duration::from_secs(5), graces);
        (signals, receivers.remove(0))
    }

    fn connected(signals: &Signals, may_return: bool) -> Arc<Attendance> {
        let id = "ada".parse().unwrap();
        Arc::new(Attendance::new(signals.clone(), "/", None, id, may_return))
    }

    fn info_at(signals: &Signals) -> Option<Arc<str>> {
        let log = signals.hub().channel("/").unwrap().log().unwrap();
        log.with(|log| log.presence().at(&None).next().map(|(_, present)| present.info.clone()))
    }

    fn is_there(signals: &Signals) -> bool {
        info_at(signals).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_within_the_grace_has_never_left() {
        let (signals, _receiver) = one_path(64);
        let first = connected(&signals, true);
        first.begin("1".into()).await.unwrap();
        first.end(true);
        sleep(GRACE - Duration::from_millis(1)).await;
        assert!(is_there(&signals));
        let second = connected(&signals, true);
        second.begin("1".into()).await.unwrap();
        sleep(GRACE * 2).await;
        assert!(is_there(&signals));
        second.end(true);
        sleep(GRACE + Duration::from_millis(2)).await;
        assert!(!is_there(&signals));
        // One join each, and the two ends: the first as the client came back.
        assert_eq!(signals.hub().channel("/").unwrap().position().unwrap().number, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_or_does_not_come_back_leaves_at_once() {
        for (may_return, comes_back) in [(false, true), (true, false)] {
            let (signals, _receiver) = one_path(64);
            let ada = connected(&signals, may_return);
            ada.begin("1".into()).await.unwrap();
            ada.end(comes_back);
            sleep(Duration::from_millis(2)).await;
            assert!(!is_there(&signals));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_come_back_and_leaves_is_not_kept_there_by_its_first_connection() {
        let (signals, _receiver) = one_path(64);
        let first = connected(&signals, true);
        first.begin("1".into()).await.unwrap();
        first.end(true);
        let second = connected(&signals, true);
        second.begin("1".into()).await.unwrap();
        sleep(Duration::from_millis(2)).await;
        assert!(is_there(&signals));
        second.end(false);
        sleep(Duration::from_millis(2)).await;
        assert!(!is_there(&signals));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_of_a_client_changes_until_it_has_gone() {
        let (signals, _receiver) = one_path(64);
        let ada = connected(&signals, true);
        ada.tell("Ada").await.unwrap();
        ada.tell("Countess").await.unwrap();
        assert_eq!(info_at(&signals).as_deref(), Some("\"Countess\""));
        let too_long = ada.tell(&"x".repeat(1_023)).await;
        assert!(matches!(too_long, Err(SendError::Info { path: "/", bytes: 1_025 })));
        Arc::clone(&ada).end(true);
        // A handler of its last messages may still run.
        ada.tell("Ada").await.unwrap();
        sleep(GRACE * 2).await;
        assert!(!is_there(&signals));
        ada.tell("Ada").await.unwrap();
        assert!(!is_there(&signals));
        let nobody = connected(&signals, true);
        Arc::clone(&nobody).end(true);
        nobody.tell("Ada").await.unwrap();
        assert!(!is_there(&signals));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_channel_keeps_nobody_there() {
        let (signals, mut receiver) = one_path(2);
        let ada = connected(&signals, true);
        ada.begin("1".into()).await.unwrap();
        for number in 0..1 {
            let json = serde_json::value::to_raw_value(&number).unwrap();
            let path: pode_core::SignalPath<u32> = pode_core::SignalPath::new("/");
            signals.send_json(path, &json).await.unwrap();
        }
        ada.end(true);
        sleep(Duration::from_secs(60)).await;
        assert!(is_there(&signals));
        while receiver.try_next().is_some() {}
        sleep(Duration::from_secs(60)).await;
        assert!(!is_there(&signals));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_cut_off_among_too_many_others_leaves_at_once() {
        let (signals, _receiver) = one_path(64);
        let id = |number: usize| number.to_string().parse().unwrap();
        let mut away = 0;
        while signals.is_away(("/", None, id(away))).is_some() {
            away += 1;
        }
        assert_eq!(away, 1 << 16);
        // Once more the same.
        assert!(signals.is_away(("/", None, id(0))).is_some());
        let ada = connected(&signals, true);
        ada.begin("1".into()).await.unwrap();
        Arc::clone(&ada).end(true);
        sleep(Duration::from_millis(2)).await;
        assert!(!is_there(&signals));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_at_a_process_that_is_gone_has_time_to_come() {
        let (older, _older) = one_path(64);
        let (newer, _newer) = one_path(64);
        connected(&older, true).begin("1".into()).await.unwrap();
        let log =
            |signals: &Signals| Arc::clone(signals.hub().channel("/").unwrap().log().unwrap());
        let changes: Vec<_> = log(&older).with(|log| log.presence().changes().collect());
        log(&newer).with(|log| changes.iter().for_each(|change| log.load_presence(change)));
        newer.end_other_stays();
        sleep(GRACE - Duration::from_millis(1)).await;
        assert!(is_there(&newer));
        let returned = connected(&newer, true);
        returned.begin("1".into()).await.unwrap();
        sleep(GRACE).await;
        assert!(is_there(&newer));
        let left: Vec<_> = log(&newer).with(|log| log.presence().changes().collect());
        assert_eq!(left.len(), 1, "and that of the older one is over");
    }
}
