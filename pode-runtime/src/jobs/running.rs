//! The timers and schedules of a running server.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::base::error::{InvokeError, StartError};
use crate::base::supervisor::finish_by;
use crate::jobs::claim::Slots;
use crate::jobs::clock::JobClock;
use crate::jobs::gate::JobGate;
use crate::jobs::schedule::Schedule;
use crate::jobs::timer::Timer;

/// All timers and schedules, each in a task of its own. Dropping it aborts
/// them.
pub(crate) struct RunningJobs<Context> {
    timers: Arc<[Timer<Context>]>,
    schedules: Arc<[Schedule<Context>]>,
    context: Context,
    tasks: JoinSet<()>,
}

/// Reports errors that the compiler could not see: a zero interval from an
/// expression, and names declared twice under different `#[cfg]`s.
pub(crate) fn check<Context: Clone>(
    timers: &[Timer<Context>],
    schedules: &[Schedule<Context>],
) -> Result<(), StartError> {
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

impl<Context: Clone + Send + Sync + 'static> RunningJobs<Context> {
    /// Starts all of them on the current runtime. They end once `stopping`
    /// holds a deadline. `slots` says which node fires, where one does.
    pub(crate) fn start(
        timers: Vec<Timer<Context>>,
        schedules: Vec<Schedule<Context>>,
        context: Context,
        clock: &impl JobClock,
        gate: &JobGate,
        slots: Option<Arc<dyn Slots>>,
        stopping: &watch::Sender<Option<Instant>>,
    ) -> RunningJobs<Context> {
        let (timers, schedules) = (Arc::<[_]>::from(timers), Arc::<[_]>::from(schedules));
        let mut tasks = JoinSet::new();
        for index in 0..timers.len() {
            let (timers, context, clock) = (Arc::clone(&timers), context.clone(), clock.clone());
            let (gate, slots, stopping) = (gate.clone(), slots.clone(), stopping.subscribe());
            tasks.spawn(async move {
                timers[index].run(&clock, &context, &gate, slots.as_deref(), stopping).await;
            });
        }
        for index in 0..schedules.len() {
            let (schedules, context) = (Arc::clone(&schedules), context.clone());
            let (clock, gate, slots) = (clock.clone(), gate.clone(), slots.clone());
            let stopping = stopping.subscribe();
            tasks.spawn(async move {
                schedules[index].run(&clock, &context, &gate, slots.as_deref(), stopping).await;
            });
        }
        RunningJobs { timers, schedules, context, tasks }
    }

    pub(crate) async fn invoke_timer(&self, name: &str) -> Result<(), InvokeError> {
        let timer = self.timers.iter().find(|timer| timer.job.name() == name);
        let unknown = || InvokeError::UnknownTimer { name: name.to_owned() };
        timer.ok_or_else(unknown)?.job.invoke(&self.context).await;
        Ok(())
    }

    pub(crate) async fn invoke_schedule(&self, name: &str) -> Result<(), InvokeError> {
        let schedule = self.schedules.iter().find(|schedule| schedule.job.name() == name);
        let unknown = || InvokeError::UnknownSchedule { name: name.to_owned() };
        schedule.ok_or_else(unknown)?.job.invoke(&self.context).await;
        Ok(())
    }

    /// Waits for the handlers that still run, at most until the deadline, then
    /// aborts them. All must have been told to stop before.
    pub(crate) async fn stop(&mut self, deadline: Instant) {
        finish_by(&mut self.tasks, deadline, "timers and schedules").await;
    }
}
