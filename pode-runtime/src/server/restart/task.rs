//! The restart task: takes over from an older process, and hands over to a
//! newer one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pode_core::hub::Hub;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::follower::End;
use super::leader::Leader;
use super::predecessor::Predecessor;
use super::socket;
use super::state::{Resources, Stage, Wish};
use super::successor::Successor;
use crate::base::error::StartError;
use crate::base::supervisor::{Failure, Supervisor, caught, joined, unwinding_stops_here};
use crate::base::trouble::Trouble;
use crate::push::engine::Envelope;

/// How long messages are kept for clients that resume, after the last of them
/// was told to reconnect.
const GRACE: Duration = Duration::from_secs(30);

/// How long to pause after `accept` fails.
const PAUSE: Duration = Duration::from_secs(1);

/// The task that takes over from an older process and hands over to newer ones.
pub(crate) struct RestartTask {
    task: JoinHandle<()>,
    stage: watch::Receiver<Stage>,
    wish: watch::Sender<Wish>,
    file: PathBuf,
}

/// A server's claim to the hand-over socket, before it serves.
pub(crate) struct Claim {
    listener: UnixListener,
    lead: Option<Leader>,
    file: PathBuf,
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
        hub: &Hub<Envelope>,
    ) -> Result<Claim, StartError> {
        let (listener, lead) = match predecessor {
            Some(predecessor) => predecessor.take_place(hub).await?,
            None => (listen(path)?, None),
        };
        // The working directory may change.
        let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Claim { listener, lead, file })
    }
}

fn listen(path: &Path) -> Result<UnixListener, StartError> {
    socket::listen(path).map_err(|source| StartError::HandOver {
        path: path.to_owned(),
        reason: "can't be listened at".to_owned(),
        source: Some(source),
    })
}

impl RestartTask {
    /// Leads the predecessor while it still has clients, and hands over to each
    /// process that asks. A panic on the way is reported: it is then unknown
    /// which process has what, so this one must end.
    pub(crate) fn start(claim: Claim, resources: Resources, failure: Failure) -> RestartTask {
        let Claim { listener, lead, file } = claim;
        let stages = watch::Sender::new(Stage::Serving);
        let wish = watch::Sender::new(Wish::Nothing);
        let (stage, wishes) = (stages.subscribe(), wish.subscribe());
        let listener = SuccessorListener::new(listener);
        let restart = Restart { listener, resources, stage: stages.clone(), wish: wishes };
        let task = tokio::spawn(async move {
            if let Err(panic) = caught(restart.run(lead)).await {
                stages.send_replace(Stage::Failed);
                failure.report("handing over", format!("it panicked: {}", panic.words()));
            }
        });
        RestartTask { task, stage, wish, file }
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
        // A process that took over owns the socket now.
        if *self.stage.borrow() == Stage::Serving
            && let Err(error) = fs::remove_file(&self.file)
        {
            unwinding_stops_here(|| {
                tracing::debug!(%error, "the socket {:?} is left behind", self.file);
            });
        }
    }
}

struct Restart {
    listener: SuccessorListener,
    resources: Resources,
    stage: watch::Sender<Stage>,
    wish: watch::Receiver<Wish>,
}

impl Restart {
    async fn run(mut self, lead: Option<Leader>) {
        let mut supervisor = Supervisor::new("the wait for a newer process");
        let mut first = None;
        let mut forget_at = None;
        if let Some(lead) = lead {
            first = self.lead(lead).await;
            forget_at = Some(Instant::now() + GRACE);
        }
        loop {
            let successor = match first.take() {
                Some(successor) => successor,
                None => match supervisor.watch(self.next(&mut forget_at)).await {
                    Some(successor) => successor,
                    None => continue,
                },
            };
            let handed_over = successor.hand_over(&self.listener.listener, &self.resources).await;
            match handed_over {
                Ok((follower, link)) => {
                    self.stage.send_replace(Stage::Draining);
                    if let End::Left = follower.run(link, &self.stage, self.wish.clone()).await {
                        return;
                    }
                    if *self.wish.borrow() != Wish::Nothing {
                        // The server is stopping anyway.
                        return;
                    }
                    self.stage.send_replace(Stage::Serving);
                    self.resources.resume().await;
                }
                Err(reason) => {
                    tracing::warn!("a newer process could not take over: {reason}");
                }
            }
            forget_at = Some(Instant::now() + GRACE);
        }
    }

    /// Leads; returns the successor that asked meanwhile.
    async fn lead(&mut self, lead: Leader) -> Option<Successor> {
        // In a task of its own, so that a successor that asks doesn't hold it
        // up.
        let mut leading = JoinSet::new();
        leading.spawn(lead.run(self.resources.signals.clone()));
        let mut waiting: Option<Successor> = None;
        let mut waits = interval(PAUSE);
        waits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = leading.join_next() => {
                    ended.and_then(joined);
                    return waiting;
                }
                stream = self.listener.hear(), if waiting.is_none() => {
                    waiting = Successor::greet(stream).await.ok();
                }
                _ = waits.tick() => {
                    if let Some(successor) = &mut waiting
                        && successor.keep_waiting().await.is_err()
                    {
                        waiting = None;
                    }
                }
            }
        }
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
                stream = self.listener.hear() => {
                    match Successor::greet(stream).await {
                        Ok(successor) => return successor,
                        Err(reason) => {
                            tracing::warn!("a process could not take over: {reason}");
                        }
                    }
                }
                () = &mut due, if forget_at.is_some() => {
                    self.resources.signals.hub().channels().for_each(|channel| channel.forget());
                    *forget_at = None;
                }
            }
        }
    }
}

/// The listener at which newer processes ask for a hand-over.
struct SuccessorListener {
    listener: UnixListener,
    resting_until: Instant,
    /// That `accept` fails.
    trouble: Trouble,
}

impl SuccessorListener {
    fn new(listener: UnixListener) -> SuccessorListener {
        SuccessorListener { listener, resting_until: Instant::now(), trouble: Trouble::default() }
    }

    /// Waits for a connection. Cancel safe.
    async fn hear(&mut self) -> UnixStream {
        loop {
            sleep_until(self.resting_until).await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if self.trouble.ends() {
                        tracing::info!("newer processes can connect again");
                    }
                    return stream;
                }
                Err(error) => {
                    if self.trouble.begins() {
                        tracing::error!(%error, "no newer process can connect, trying again every second");
                    }
                    self.resting_until = Instant::now() + PAUSE;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use socket2::{Domain, Socket, Type};
    use tokio::time::timeout;

    use super::*;
    use crate::base::log::Collected;

    #[tokio::test(start_paused = true)]
    async fn that_nobody_can_be_heard_is_told_once() {
        let (log, _guard) = Collected::begin();
        // The socket doesn't listen, so that each `accept` fails.
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = UnixListener::from_std(OwnedFd::from(socket).into()).unwrap();
        let mut listener = SuccessorListener::new(listener);
        timeout(Duration::from_secs(3600), listener.hear()).await.unwrap_err();
        let text = log.text();
        assert!(text.contains("ERROR no newer process can connect"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
