//! The restart task: takes over from an older process, and hands over to a
//! newer one.

use std::io;
use std::path::Path;
use std::time::Duration;

use pode_core::hub::Channel;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::follower::{End, Follower};
use super::leader::Leader;
use super::listener::SuccessorListener;
use super::predecessor::Predecessor;
use super::socket;
use super::state::{Resources, Stage, Wish};
use super::successor::Successor;
use crate::app::context::Context;
use crate::base::error::StartError;
use crate::base::seconds::seconds;
use crate::base::supervisor::{Failure, Supervisor, caught, joined, unwinding_stops_here};

/// How long messages are kept for clients that resume, after the last of them
/// was told to reconnect.
const GRACE: Duration = Duration::from_secs(30);

/// The task that takes over from an older process and hands over to newer ones.
pub(crate) struct RestartTask {
    task: JoinHandle<()>,
    stage: watch::Receiver<Stage>,
    wish: watch::Sender<Wish>,
}

/// A server's claim to the hand-over socket, before it serves.
pub(crate) struct Claim {
    listener: SuccessorListener,
    lead: Option<Leader>,
}

impl Claim {
    /// Takes over from the predecessor, or listens as the first process.
    ///
    /// # Errors
    ///
    /// The predecessor doesn't hand over, or the socket can't be created.
    pub(crate) async fn take(
        path: &Path,
        predecessor: Option<Predecessor>,
        context: &Context,
    ) -> Result<Claim, StartError> {
        let (listener, lead) = match predecessor {
            Some(predecessor) => predecessor.take_place(context).await?,
            None => (listen(path)?, None),
        };
        Ok(Claim { listener, lead })
    }
}

fn listen(path: &Path) -> Result<SuccessorListener, StartError> {
    socket::listen(path).map(SuccessorListener::new).map_err(|source| {
        let reason = match source.kind() {
            io::ErrorKind::NotFound => "can't be listened at: its folder must exist",
            _ => "can't be listened at",
        };
        let reason = reason.to_owned();
        StartError::HandOver { path: path.to_owned(), reason, source: Some(source) }
    })
}

impl RestartTask {
    /// Leads the predecessor while it still has clients, and hands over to each
    /// process that asks. A panic on the way is reported: it is then unknown
    /// which process has what, so this one must end.
    pub(crate) fn start(claim: Claim, resources: Resources, failure: Failure) -> RestartTask {
        let Claim { listener, lead } = claim;
        resources.alone.send_replace(lead.is_none());
        let stages = watch::Sender::new(Stage::Serving);
        let wish = watch::Sender::new(Wish::Nothing);
        let (stage, wishes) = (stages.subscribe(), wish.subscribe());
        let restart = Restart {
            listener,
            resources,
            stage: stages.clone(),
            wish: wishes,
            failure: failure.clone(),
        };
        let task = tokio::spawn(async move {
            if let Err(panic) = caught(restart.run(lead)).await {
                stages.send_replace(Stage::Failed);
                failure.report("handing over", format!("it panicked: {}", panic.words()));
            }
        });
        RestartTask { task, stage, wish }
    }

    /// Waits until another process has taken over and all clients were told to
    /// reconnect. Cancel safe.
    pub(crate) async fn handed_over(&self) {
        let mut stage = self.stage.clone();
        if stage.wait_for(|stage| *stage == Stage::Drained).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns whether another process has taken over; if so, all clients are
    /// told to reconnect now. Otherwise none can take over any more.
    pub(crate) async fn conclude(&mut self) -> bool {
        self.wish.send_replace(Wish::Hurry);
        let is_handed_over = matches!(*self.stage.borrow(), Stage::Draining | Stage::Drained);
        if !is_handed_over {
            self.task.abort();
            // The task has duplicates of the listening sockets.
            let _ = (&mut self.task).await;
        }
        is_handed_over
    }

    /// Waits until sent messages are on their way to the process that took
    /// over; aborts that at the deadline.
    pub(crate) async fn end(&mut self, deadline: Instant) {
        self.wish.send_replace(Wish::End);
        if tokio::time::timeout_at(deadline, &mut self.task).await.is_err() {
            tracing::warn!("what was sent last may not reach the clients of the newer process");
        }
        self.task.abort();
    }
}

impl Drop for RestartTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Restart {
    listener: SuccessorListener,
    resources: Resources,
    stage: watch::Sender<Stage>,
    wish: watch::Receiver<Wish>,
    failure: Failure,
}

impl Restart {
    async fn run(mut self, lead: Option<Leader>) {
        let mut supervisor = Supervisor::new("the wait for a newer process");
        let mut forget_at = None;
        if let Some(lead) = lead {
            if !self.lead(lead).await {
                return;
            }
            self.resources.alone.send_replace(true);
            forget_at = Some(Instant::now() + GRACE);
        }
        loop {
            let Some(mut successor) = supervisor.watch(self.next(&mut forget_at)).await else {
                continue;
            };
            self.resources.alone.send_replace(false);
            match self.hand_over(&mut successor).await {
                Ok(follower) => {
                    self.stage.send_replace(Stage::Draining);
                    self.listener.send_away();
                    let (stage, wish) = (&self.stage, self.wish.clone());
                    let take_back = || self.listener.take_back();
                    let end = follower.run(successor.into_link(), stage, wish, take_back).await;
                    // Or the server is stopping anyway.
                    if matches!(end, End::Left) || *self.wish.borrow() != Wish::Nothing {
                        return;
                    }
                    self.stage.send_replace(Stage::Serving);
                    self.resources.resume().await;
                }
                Err(reason) => {
                    self.listener.take_back();
                    unwinding_stops_here(|| {
                        tracing::warn!("a newer process could not take over: {reason}");
                    });
                    successor.refuse(reason).await;
                }
            }
            self.resources.alone.send_replace(true);
            forget_at = Some(Instant::now() + GRACE);
        }
    }

    /// Hands over to a process, and keeps others waiting meanwhile.
    async fn hand_over(&mut self, successor: &mut Successor) -> Result<Follower, String> {
        let listener = self.listener.lend().map_err(|error| error.to_string())?;
        tokio::select! {
            handed_over = successor.hand_over(listener, &self.resources) => handed_over,
            never = self.listener.attend() => match never {},
        }
    }

    /// Leads as long as the older process has clients; returns whether this one
    /// goes on.
    async fn lead(&mut self, lead: Leader) -> bool {
        // In a task of its own, so that it doesn't stop while others are let in.
        let mut leading = JoinSet::new();
        leading.spawn(lead.run(self.resources.signals.clone()));
        let ended = tokio::select! {
            ended = leading.join_next() => ended.and_then(joined),
            never = self.listener.attend() => match never {},
        };
        // Whatever is logged is done, even if the log panics.
        let Some(Err(error)) = ended else {
            self.listener.keep();
            unwinding_stops_here(|| {
                tracing::info!("the older process has handed over its last client");
            });
            return true;
        };
        if self.listener.is_found() {
            self.listener.keep();
            unwinding_stops_here(|| {
                tracing::warn!(%error, "the older process is gone, with its clients");
            });
            return true;
        }
        self.stage.send_replace(Stage::Failed);
        let reason = "the older process took everything back, since this one showed no sign of \
                      life; start it again";
        self.failure.report("its role", reason.to_owned());
        false
    }

    /// Waits for a newer process; meanwhile drops histories that are due.
    async fn next(&mut self, forget_at: &mut Option<Instant>) -> Successor {
        let due = *forget_at;
        let due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let mut due = std::pin::pin!(due);
        loop {
            tokio::select! {
                successor = self.listener.next() => return successor,
                () = &mut due, if forget_at.is_some() => {
                    let logs = self.resources.signals.hub().channels().filter_map(Channel::log);
                    logs.for_each(|log| log.with(|log| log.keep_as_declared(seconds())));
                    *forget_at = None;
                }
            }
        }
    }
}
