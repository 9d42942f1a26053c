//! The clocks that a test moves: timers and schedules go by them, and nothing
//! else does.
//!
//! Each job has a clone of the clock. A job is idle while it waits for the clock;
//! the clock moves only while all are, and wakes one at a time, in the order in
//! which they are due.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(feature = "schedule")]
use jiff::Zoned;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::patience::Patience;
#[cfg(feature = "schedule")]
use crate::base::clock::{Clock, SystemClock};
use crate::jobs::clock::JobClock;

/// The clocks of a test server.
#[derive(Debug)]
pub(super) struct TestClock {
    state: Mutex<State>,
    /// That a job begins to wait, or has ended.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    now: Instant,
    #[cfg(feature = "schedule")]
    wall: Zoned,
    /// The number of jobs so far, and of those that haven't ended.
    begun: usize,
    running: usize,
    sleepers: Vec<Sleeper>,
}

/// A job that waits.
#[derive(Debug)]
struct Sleeper {
    until: Instant,
    /// The number of its job: in the order of declarations.
    job: usize,
    #[cfg_attr(not(feature = "schedule"), expect(dead_code, reason = "nobody sets that clock"))]
    by_wall: bool,
    wake: oneshot::Sender<()>,
}

impl TestClock {
    pub(super) fn new() -> Arc<TestClock> {
        Arc::new(TestClock {
            state: Mutex::new(State {
                now: Instant::now(),
                #[cfg(feature = "schedule")]
                wall: SystemClock::default().wall(),
                begun: 0,
                running: 0,
                sleepers: Vec::new(),
            }),
            changed: Notify::new(),
        })
    }

    /// Reads a time, which is in the clock's zone unless it names another.
    #[cfg(feature = "schedule")]
    pub(super) fn parse(&self, time: &str) -> Result<Zoned, jiff::Error> {
        if time.contains('[') {
            return time.parse();
        }
        let zone = self.state().wall.time_zone().clone();
        match time.parse::<jiff::Timestamp>() {
            Ok(moment) => Ok(moment.to_zoned(zone)),
            Err(_) => time.parse::<jiff::civil::DateTime>()?.to_zoned(zone),
        }
    }

    /// Moves both clocks, and waits for the handlers of what becomes due.
    pub(super) async fn advance(&self, time: Duration, patience: Patience) {
        self.idle(patience).await;
        let target = self.state().now + time;
        while self.state().wake_next(target) {
            self.idle(patience).await;
        }
    }

    /// Sets the wall clock, and waits for the handlers of what it has leapt over.
    #[cfg(feature = "schedule")]
    pub(super) async fn set_wall(&self, wall: Zoned, patience: Patience) {
        self.idle(patience).await;
        self.state().set_wall(wall);
        self.advance(Duration::ZERO, patience).await;
    }

    /// Waits until no handler runs.
    async fn idle(&self, patience: Patience) {
        let idle = async {
            loop {
                let changed = self.changed.notified();
                if self.state().is_idle() {
                    return;
                }
                changed.await;
            }
        };
        patience.wait("the handler of a timer or a schedule", idle).await;
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_waiters();
        changed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_idle(&mut self) -> bool {
        self.sleepers.retain(|sleeper| !sleeper.wake.is_closed());
        self.sleepers.len() >= self.running
    }

    /// Moves to the next job that is due, and wakes it. If there is none up to
    /// `target`, moves there and returns false.
    fn wake_next(&mut self, target: Instant) -> bool {
        let due = (0..self.sleepers.len()).min_by_key(|it| self.sleepers[*it].due());
        let due = due.filter(|due| self.sleepers[*due].until <= target);
        let now = due.map_or(target, |due| self.sleepers[due].until).max(self.now);
        #[cfg(feature = "schedule")]
        {
            self.wall = &self.wall + (now - self.now);
        }
        self.now = now;
        let Some(due) = due else { return false };
        // It may have ended meanwhile.
        let _ = self.sleepers.remove(due).wake.send(());
        true
    }

    #[cfg(feature = "schedule")]
    fn set_wall(&mut self, wall: Zoned) {
        self.wall = wall;
        for sleeper in self.sleepers.iter_mut().filter(|sleeper| sleeper.by_wall) {
            sleeper.until = self.now;
        }
    }
}

impl Sleeper {
    fn due(&self) -> (Instant, usize) {
        (self.until, self.job)
    }
}

/// The clock as the jobs of a server have it.
#[derive(Debug)]
pub(super) struct JobTicket {
    clock: Arc<TestClock>,
    /// The number of the job that has it; the first ticket has none.
    job: Option<usize>,
}

impl JobTicket {
    pub(super) fn new(clock: &Arc<TestClock>) -> JobTicket {
        JobTicket { clock: Arc::clone(clock), job: None }
    }

    async fn wait(&self, until: impl FnOnce(&State) -> Instant, by_wall: bool) {
        let (wake, woken) = oneshot::channel();
        self.clock.change(|state| {
            state.sleepers.push(Sleeper {
                until: until(state),
                job: self.job.unwrap_or_default(),
                by_wall,
                wake,
            });
        });
        // The clock drops no sleeper that waits.
        let _ = woken.await;
    }
}

impl Clone for JobTicket {
    fn clone(&self) -> JobTicket {
        let job = self.clock.change(|state| {
            state.begun += 1;
            state.running += 1;
            state.begun
        });
        JobTicket { clock: Arc::clone(&self.clock), job: Some(job) }
    }
}

impl Drop for JobTicket {
    fn drop(&mut self) {
        if self.job.is_some() {
            self.clock.change(|state| state.running -= 1);
        }
    }
}

impl JobClock for JobTicket {
    fn now(&self) -> Instant {
        self.clock.state().now
    }

    async fn sleep_until(&self, moment: Instant) {
        self.wait(|_| moment, false).await;
    }

    #[cfg(feature = "schedule")]
    fn wall(&self) -> Zoned {
        self.clock.state().wall.clone()
    }

    #[cfg(feature = "schedule")]
    async fn sleep(&self, time: Duration) {
        self.wait(|state| state.now + time, true).await;
    }
}
