//! The follower: the older process, as long as it has clients. Its messages go
//! to the newer process and come back with a number, and its clients are told
//! to reconnect there.
//!
//! Returned messages and close commands travel in the same channels, put there
//! by one task: so the position that a client gets is exactly the position it
//! has reached.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pode_core::hub::{Channel, Hub, Log};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::leader::Link;
use super::state::{Resources, Stage, Wish};
use super::wire::{Frame, WireEnvelope, pack, put, read_while_alive, unexpected, unpack, write};
use crate::base::supervisor::{joined, unwinding_stops_here};
use crate::push::engine::{Audience, Command, EVERYBODY, Envelope, random_epoch};
use crate::push::publisher::{Detour, Diverted, Signals};

/// How many messages may wait to go to the newer process; after that, senders
/// wait.
const QUEUE_MESSAGES: usize = 256;

/// How many messages may have gone there and not come back yet.
const UNDERWAY_MESSAGES: usize = 1024;

/// In how many steps the clients are closed.
const STEPS: u32 = 100;

/// The minimum and maximum length of a step.
const SHORTEST_STEP: Duration = Duration::from_millis(20);
const LONGEST_STEP: Duration = Duration::from_millis(250);

/// The older process's part in a hand-over.
pub(super) struct Follower {
    signals: Signals,
    drain: Duration,
    /// The channels that both processes have, by path and index; frames refer
    /// to them by their position here.
    channels: Vec<(&'static str, usize)>,
    queue: mpsc::Receiver<Diverted>,
    detour: Detour,
    over: watch::Sender<bool>,
    underway: Arc<Underway>,
}

/// The envelopes that have gone to the newer process and not come back yet, by
/// tag.
#[derive(Debug)]
struct Underway {
    envelopes: Mutex<(u64, BTreeMap<u64, Diverted>)>,
    /// Permits for more.
    permits: tokio::sync::Semaphore,
}

/// How following ended.
pub(super) enum End {
    /// All clients have gone.
    Left,
    /// The newer process is gone, and this one is alone again.
    Alone,
}

impl Follower {
    /// Begins to take diverted envelopes. No channel is diverted yet.
    pub(super) fn new(resources: &Resources) -> Follower {
        let signals = resources.signals.clone();
        // So that one envelope for every channel always fits.
        let places = QUEUE_MESSAGES + signals.hub().channels().count();
        let (sender, queue) = mpsc::channel(places);
        let over = watch::Sender::new(false);
        let detour = Detour::new(sender, over.subscribe());
        signals.set_detour(Some(detour.clone()));
        let underway = Arc::new(Underway {
            envelopes: Mutex::default(),
            permits: tokio::sync::Semaphore::new(UNDERWAY_MESSAGES),
        });
        let (drain, channels) = (resources.drain, Vec::new());
        Follower { signals, drain, channels, queue, detour, over, underway }
    }

    /// Adds a channel that was diverted.
    pub(super) fn follow(&mut self, channel: &Channel<Envelope>) {
        self.channels.push((channel.path(), channel.index()));
    }

    /// Follows the newer process until all clients have gone and the server is to end, or the
    /// newer process is gone or hangs. Then `take_back` is called first, so that the newer
    /// process, if it is still there, finds at the end of the link that it no longer leads.
    pub(super) async fn run(
        mut self,
        Link { mut reader, writer }: Link,
        stage: &watch::Sender<Stage>,
        mut wish: watch::Receiver<Wish>,
        take_back: impl FnOnce(),
    ) -> End {
        let (numbered, mut numbers) = mpsc::channel(UNDERWAY_MESSAGES / 16);
        let reading = tokio::spawn(async move {
            loop {
                let read = read_while_alive(&mut reader).await;
                let is_end = read.is_err();
                if numbered.send(read).await.is_err() || is_end {
                    return;
                }
            }
        });
        let (stop, stopped) = oneshot::channel();
        let queue = std::mem::replace(&mut self.queue, mpsc::channel(1).1);
        let writing = self.write(queue, writer, stopped);

        let started = Instant::now();
        let mut steps = interval((self.drain / STEPS).clamp(SHORTEST_STEP, LONGEST_STEP));
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Whether all clients have been told to reconnect.
        let mut all_told = false;
        let ended = loop {
            tokio::select! {
                number = numbers.recv() => {
                    let number = number.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
                    let taken = match number {
                        Ok((frame, payload)) => self.take(frame, &payload).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = taken {
                        break Err(error);
                    }
                    // The newer process is there to take them in.
                    if all_told && *stage.borrow() != Stage::Drained {
                        stage.send_replace(Stage::Drained);
                    }
                }
                _ = steps.tick() => {
                    let is_hurried = *wish.borrow() != Wish::Nothing;
                    let share = match started.elapsed() {
                        passed if is_hurried || passed >= self.drain => EVERYBODY,
                        passed => (passed.as_secs_f64() / self.drain.as_secs_f64()
                            * f64::from(EVERYBODY)) as u32,
                    };
                    if let Err(error) = self.drain_share(share).await {
                        break Err(error);
                    }
                    all_told = share == EVERYBODY;
                }
                Ok(()) = wish.changed() => {}
                () = self.detour.idle(), if *wish.borrow() == Wish::End => break Ok(()),
            }
        };
        reading.abort();
        let _ = stop.send(());
        let (read, written) = tokio::join!(reading, writing);
        joined(read);
        let Some((queue, mut writer)) = joined(written) else { return End::Left };
        self.queue = queue;
        match ended {
            Ok(()) => {
                if let Err(error) = write(&mut writer, &Frame::Bye, b"").await {
                    tracing::debug!(%error, "the newer process could not be told that this one is done");
                }
                End::Left
            }
            Err(error) => {
                take_back();
                unwinding_stops_here(|| {
                    tracing::error!(%error, "the newer process is gone or hangs; this one goes on alone");
                });
                self.recover().await;
                End::Alone
            }
        }
    }

    /// Writes diverted envelopes to the newer process, in a task of its own,
    /// until it is stopped or writing fails.
    fn write(
        &self,
        mut queue: mpsc::Receiver<Diverted>,
        mut writer: OwnedWriteHalf,
        mut stopped: oneshot::Receiver<()>,
    ) -> JoinHandle<(mpsc::Receiver<Diverted>, OwnedWriteHalf)> {
        let underway = Arc::clone(&self.underway);
        let places = self.channels.clone();
        tokio::spawn(async move {
            loop {
                let next = async {
                    let permit = underway.permits.acquire().await.ok()?;
                    permit.forget();
                    queue.recv().await
                };
                let next = tokio::select! {
                    next = next => next,
                    _ = &mut stopped => break,
                };
                let Some(next) = next else { break };
                let place = places.iter().position(|place| *place == (next.path, next.index));
                let (tag, (what, payload)) = underway.add(next);
                // Only shared channels are diverted.
                let Some(channel) = place else { continue };
                let frame = Frame::Sent { channel, tag, what };
                let written = tokio::select! {
                    written = write(&mut writer, &frame, &payload) => written,
                    _ = &mut stopped => break,
                };
                if let Err(error) = written {
                    // The reading task notices, too.
                    tracing::debug!(%error, "the newer process can't be written to");
                    let _ = (&mut stopped).await;
                    break;
                }
            }
            (queue, writer)
        })
    }

    /// Handles a frame from the newer process.
    async fn take(&mut self, frame: Frame, payload: &[u8]) -> io::Result<()> {
        let hub = self.signals.hub();
        let find = |place: usize| {
            let (path, index) = *self.channels.get(place).ok_or(io::ErrorKind::InvalidData)?;
            Ok::<_, io::Error>(&hub.channels_of(path).map_err(io::Error::other)?[index])
        };
        match frame {
            Frame::Numbered { channel, number, tag, what } => {
                let channel = find(channel)?;
                // Its sender waits until this is dropped.
                let (envelope, _underway) = match self.underway.remove(tag) {
                    Some(Diverted { envelope, underway, .. }) => (envelope, Some(underway)),
                    None => (unpack(what, payload)?, None),
                };
                let permit = channel.reserve().await.map_err(io::Error::other)?;
                with_log(channel, |log| log.skip_to(number));
                envelope.put(permit, tag).map_err(io::Error::other)?;
            }
            Frame::Behind { channel, number } => {
                let channel = find(channel)?;
                tracing::error!(path = channel.path(), "clients are cut off: messages are missing");
                let (code, reason) = (1013, "too slow: too many messages wait");
                give(channel, Command::Drain { share: EVERYBODY, code, reason }).await?;
                with_log(channel, |log| log.lose_to(number));
            }
            Frame::Alive => {}
            other => return Err(unexpected(&other)),
        }
        Ok(())
    }

    /// Closes a share of all clients, telling each its position.
    async fn drain_share(&self, share: u32) -> io::Result<()> {
        if share == 0 {
            return Ok(());
        }
        let hub: &Hub<Envelope> = self.signals.hub();
        for channel in hub.channels() {
            give(channel, Command::Drain { share, code: 1012, reason: "restarting" }).await?;
        }
        Ok(())
    }

    /// Returns everything to this process: first the envelopes that are still
    /// underway are sent here, then the waiting ones, then new ones.
    pub(super) async fn recover(mut self) {
        // The newer process may have given numbers that are unknown here.
        for channel in self.signals.hub().channels() {
            with_log(channel, |log| log.begin_epoch(random_epoch()));
        }
        for (tag, diverted) in self.underway.take_all() {
            self.put_here(diverted, tag).await;
        }
        self.queue.close();
        while let Some(diverted) = self.queue.recv().await {
            self.put_here(diverted, 0).await;
        }
        for (path, index) in &self.channels {
            if let Ok(channels) = self.signals.hub().channels_of(path) {
                channels[*index].rejoin();
            }
        }
        self.signals.set_detour(None);
        self.over.send_replace(true);
    }

    async fn put_here(&self, diverted: Diverted, tag: u64) {
        let Diverted { path, index, envelope, underway: _underway } = diverted;
        // It was found by this path before.
        let Ok(channels) = self.signals.hub().channels_of(path) else { return };
        if let Err(error) = put(&channels[index], envelope, tag).await {
            tracing::debug!(%error, "a message isn't sent any more");
        }
    }
}

/// Changes a channel's log; all channels have one in a server that hands over.
fn with_log(channel: &Channel<Envelope>, change: impl FnOnce(&mut Log<Audience>)) {
    if let Some(log) = channel.log() {
        log.with(change);
    }
}

/// Puts a command into a channel.
async fn give(channel: &Channel<Envelope>, order: Command) -> io::Result<()> {
    put(channel, Envelope::Command(Arc::new(order)), 0).await
}

impl Underway {
    /// Adds an envelope; returns its tag and its wire form.
    fn add(&self, diverted: Diverted) -> (u64, (WireEnvelope, Vec<u8>)) {
        let (what, payload) = pack(&diverted.envelope);
        let payload = payload.to_vec();
        let (latest, envelopes) = &mut *self.lock();
        *latest += 1;
        envelopes.insert(*latest, diverted);
        (*latest, (what, payload))
    }

    fn remove(&self, tag: u64) -> Option<Diverted> {
        let removed = self.lock().1.remove(&tag);
        if removed.is_some() {
            self.permits.add_permits(1);
        }
        removed
    }

    fn take_all(&self) -> BTreeMap<u64, Diverted> {
        std::mem::take(&mut self.lock().1)
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Diverted>)> {
        // No code that holds the lock can panic midway.
        self.envelopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
