//! The timers and schedules of a running server.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::app::event::House;
use crate::base::clock::SystemClock;
use crate::base::error::{InvokeError, StartError};
use crate::jobs::schedule::Schedule;
use crate::jobs::timer::Timer;

/// All that fires, each in a task of its own. Dropping it cuts them off.
pub(crate) struct Clockwork {
    timers: Arc<[Timer]>,
    schedules: Arc<[Schedule]>,
    house: Arc<House>,
    tasks: JoinSet<()>,
}

/// Whether timers and schedules may fire: they may not while another process
/// is about to take over. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Ticks {
    held: watch::Sender<bool>,
    /// Shared by the handlers that run.
    running: Arc<RwLock<()>>,
}

impl Default for Ticks {
    fn default() -> Ticks {
        Ticks { held: watch::Sender::new(false), running: Arc::default() }
    }
}

impl Ticks {
    /// Waits until a handler may run, which it does as long as it has what is
    /// returned; `None` if `stopping` holds a deadline before.
    pub(crate) async fn turn(
        &self,
        stopping: &mut watch::Receiver<Option<Instant>>,
    ) -> Option<OwnedRwLockReadGuard<()>> {
        let mut held = self.held.subscribe();
        let turn = async {
            loop {
                // Its sender is here.
                let _ = held.wait_for(|held| !held).await;
                let turn = Arc::clone(&self.running).read_owned().await;
                if !*held.borrow() {
                    return turn;
                }
            }
        };
        tokio::select! {
            biased;
            _ = stopping.wait_for(Option::is_some) => None,
            turn = turn => Some(turn),
        }
    }

    /// Has nothing fire any more, and waits for the handlers that run, at most
    /// until the deadline; tells whether all are done.
    pub(crate) async fn hold(&self, deadline: Instant) -> bool {
        self.held.send_replace(true);
        timeout_at(deadline, self.running.write()).await.is_ok()
    }

    /// Lets fire what has become due, and what will.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }
}

/// Finds what the compiler could not: an interval that an expression makes, and
/// names that stand twice under different `#[cfg]`s.
pub(crate) fn check(timers: &[Timer], schedules: &[Schedule]) -> Result<(), StartError> {
    if let Some(timer) = timers.iter().find(|timer| timer.interval.is_zero()) {
        return Err(StartError::Interval { timer: timer.job.name() });
    }
    let timers = timers.iter().map(|timer| (timer.job.noun(), timer.job.name()));
    let schedules = schedules.iter().map(|schedule| (schedule.job.noun(), schedule.job.name()));
    let mut names = HashSet::new();
    match timers.chain(schedules).find(|job| !names.insert(*job)) {
        Some((noun, name)) => Err(StartError::NameTwice { noun, name }),
        None => Ok(()),
    }
}

impl Clockwork {
    /// Starts all of them on the current runtime. They end once `stopping`
    /// holds a deadline.
    pub(crate) fn start(
        timers: Vec<Timer>,
        schedules: Vec<Schedule>,
        house: &Arc<House>,
        stopping: &watch::Sender<Option<Instant>>,
    ) -> Clockwork {
        let (timers, schedules) = (Arc::<[_]>::from(timers), Arc::<[_]>::from(schedules));
        let clock = Arc::new(SystemClock::default());
        let mut tasks = JoinSet::new();
        for index in 0..timers.len() {
            let (timers, house) = (Arc::clone(&timers), Arc::clone(house));
            let stopping = stopping.subscribe();
            tasks.spawn(async move { timers[index].run(&house, stopping).await });
        }
        for index in 0..schedules.len() {
            let (schedules, house) = (Arc::clone(&schedules), Arc::clone(house));
            let (clock, stopping) = (Arc::clone(&clock), stopping.subscribe());
            tasks.spawn(async move { schedules[index].run(&*clock, &house, stopping).await });
        }
        Clockwork { timers, schedules, house: Arc::clone(house), tasks }
    }

    pub(crate) async fn invoke_timer(&self, name: &str) -> Result<(), InvokeError> {
        let timer = self.timers.iter().find(|timer| timer.job.name() == name);
        let unknown = || InvokeError::UnknownTimer { name: name.to_owned() };
        timer.ok_or_else(unknown)?.job.invoke(&self.house).await;
        Ok(())
    }

    pub(crate) async fn invoke_schedule(&self, name: &str) -> Result<(), InvokeError> {
        let schedule = self.schedules.iter().find(|schedule| schedule.job.name() == name);
        let unknown = || InvokeError::UnknownSchedule { name: name.to_owned() };
        schedule.ok_or_else(unknown)?.job.invoke(&self.house).await;
        Ok(())
    }

    /// Waits for the handlers that still run, at most until the deadline, then
    /// cuts them off. All have been told to end before.
    pub(crate) async fn stop(&mut self, deadline: Instant) {
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout_at(deadline, all_ended).await;
        self.tasks.shutdown().await;
    }
}
