//! The follower: the older process, as long as it has clients. Its messages go
//! to the newer process and come back with a number, and its clients are told
//! to reconnect there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, ready};
use futures_util::{FutureExt, StreamExt, stream};
use pode_core::hub::{Channel, Log};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::link::{Link, received, tell};
use super::state::{Resources, Stage, Wish};
use super::wire::{Frame, patiently, read_while_alive, unexpected};
use crate::app::sequences::Sequences;
use crate::base::seconds::seconds;
use crate::base::supervisor::unwinding_stops_here;
use crate::push::engine::{Audience, Command, EVERYBODY, Envelope, random_epoch};
use crate::push::publisher::Signals;
use crate::push::wire::unpack;

/// In how many steps the clients are closed.
const STEPS: u32 = 100;

/// The minimum and maximum length of a step.
const SHORTEST_STEP: Duration = Duration::from_millis(20);
const LONGEST_STEP: Duration = Duration::from_millis(250);

/// How many claims of sequences wait side by side.
const MAX_CLAIMS: usize = 10_000;

/// The older process's part in a hand-over.
pub(super) struct Follower {
    signals: Signals,
    sequences: Arc<Sequences>,
    drain: Duration,
    /// Those that both processes have.
    channels: Vec<Channel<Envelope>>,
}

/// How following ended.
pub(super) enum End {
    /// All clients have gone.
    Left,
    /// The newer process is gone, and this one is alone again.
    Alone,
}

impl Follower {
    pub(super) fn new(resources: &Resources) -> Follower {
        let Resources { signals, sequences, drain, .. } = resources;
        let (signals, sequences) = (signals.clone(), Arc::clone(sequences));
        Follower { signals, sequences, drain: *drain, channels: Vec::new() }
    }

    /// Lets a channel follow; returns its log.
    pub(super) async fn follow(
        &mut self,
        channel: &Channel<Envelope>,
    ) -> io::Result<Option<Log<Audience>>> {
        let log = patiently(async { channel.follow().await.map_err(io::Error::other) }).await?;
        self.channels.push(channel.clone());
        Ok(log)
    }

    /// Follows the newer process until all clients have gone and the server is to end, or the
    /// newer process is gone or hangs. Then `take_back` is called first, so that the newer
    /// process, if it is still there, finds at the end of the link that it no longer leads.
    pub(super) async fn run(
        self,
        mut link: Link,
        stage: &watch::Sender<Stage>,
        wish: watch::Receiver<Wish>,
        take_back: impl FnOnce(),
    ) -> End {
        let Err(error) = self.talk(&mut link, stage, wish).await else { return End::Left };
        take_back();
        drop(link);
        unwinding_stops_here(|| {
            tracing::error!(%error, "the newer process is gone or hangs; this one goes on alone");
        });
        self.recover().await;
        End::Alone
    }

    /// Talks to the newer process until the server is to end.
    async fn talk(
        &self,
        Link { reader, writer }: &mut Link,
        stage: &watch::Sender<Stage>,
        mut wish: watch::Receiver<Wish>,
    ) -> io::Result<()> {
        // Whether all clients have been told to reconnect.
        let all_told = AtomicBool::new(false);
        let taken = Notify::new();
        let (claims, claimed) = mpsc::unbounded_channel();
        // Each waits for the end of a handler.
        let given = received(claimed).flat_map_unordered(MAX_CLAIMS, |id| {
            let given = self.sequences.give(id);
            let given = given.map_or(Frame::Missed { sequence: id }, Frame::Left);
            let finished = self.sequences.finish(id).map(|left| left.map(Frame::Left));
            Box::pin(stream::once(ready(given)).chain(stream::once(finished).filter_map(ready)))
        });
        let mut taking = std::pin::pin!(async {
            loop {
                let (frame, payload) = read_while_alive(reader).await?;
                match frame {
                    // The link ends with the receiver.
                    Frame::Claim { sequence } => drop(claims.send(sequence)),
                    frame => self.take(frame, &payload).await?,
                }
                taken.notify_one();
                // The newer process is there to take them in.
                if all_told.load(Ordering::Relaxed) && *stage.borrow() != Stage::Drained {
                    stage.send_replace(Stage::Drained);
                }
            }
        });
        let draining = self.drain(wish.clone(), &all_told);
        let end = async {
            let _ = wish.wait_for(|wish| *wish == Wish::End).await;
            while !self.channels.iter().all(Channel::is_idle) {
                taken.notified().await;
            }
        };
        let left = || self.sequences.left().into_iter().map(Frame::Left).collect();
        tokio::select! {
            ended = &mut taking => ended,
            told = tell(writer, self.signals.hub(), &self.channels, given, end, left) => match told {
                Ok(()) => Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "the newer process can't be written to");
                    taking.await
                }
            },
            failed = draining => failed,
        }
    }

    /// Handles a frame from the newer process.
    async fn take(&self, frame: Frame, payload: &[u8]) -> io::Result<()> {
        let at = |channel: usize| self.channels.get(channel).ok_or(io::ErrorKind::InvalidData);
        match frame {
            Frame::Back { channel, number } => at(channel)?.take_back(number, seconds),
            Frame::Published { channel, number, what } => {
                let envelope = unpack(what, payload)?;
                let permit = at(channel)?.reserve_for_theirs().await.map_err(io::Error::other)?;
                permit.put_theirs(&envelope, number, seconds)
            }
            Frame::Lost { channel, until, back } => {
                let channel = at(channel)?;
                tracing::error!(path = channel.path(), "clients are cut off: messages are missing");
                let (code, reason) = (1013, "too slow: too many messages wait");
                let drain = Command::Drain { share: EVERYBODY, code, reason };
                let permit = channel.reserve_for_theirs().await.map_err(io::Error::other)?;
                let sent = permit.send(Envelope::Command(Arc::new(drain)));
                channel.lose(until, back);
                sent.map(drop)
            }
            Frame::Alive => Ok(()),
            other => return Err(unexpected(&other)),
        }
        .map_err(io::Error::other)
    }

    /// Closes clients step by step, telling each its position, and then whoever still
    /// comes. Ends only if it fails.
    async fn drain(&self, wish: watch::Receiver<Wish>, all_told: &AtomicBool) -> io::Result<()> {
        let started = Instant::now();
        let mut steps = interval((self.drain / STEPS).clamp(SHORTEST_STEP, LONGEST_STEP));
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            let is_hurried = *wish.borrow() != Wish::Nothing;
            let share = match started.elapsed() {
                passed if is_hurried || passed >= self.drain => EVERYBODY,
                passed => {
                    let part = passed.as_secs_f64() / self.drain.as_secs_f64();
                    (part * f64::from(EVERYBODY)) as u32
                }
            };
            let drain = Arc::new(Command::Drain { share, code: 1012, reason: "restarting" });
            for channel in self.signals.hub().channels().filter(|_| share > 0) {
                let permit = channel.reserve().await.map_err(io::Error::other)?;
                permit.send(Envelope::Command(Arc::clone(&drain))).map_err(io::Error::other)?;
            }
            all_told.store(share == EVERYBODY, Ordering::Relaxed);
        }
    }

    /// Returns everything to this process.
    pub(super) async fn recover(self) {
        let channels = self.channels.iter();
        join_all(channels.map(|channel| channel.follow_nobody(random_epoch(), seconds))).await;
        self.signals.end_other_stays();
    }
}
