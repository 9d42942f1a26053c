//! Timers: a handler that fires at an interval.
//!
//! Ticks lie on a grid that starts with the server, so they don't drift however
//! long handlers take. A tick whose time passes before the previous one is done
//! is skipped; the log reports this at most once a minute.

use std::mem;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::base::outcome::Outcome;
use crate::base::supervisor::Supervisor;
use crate::base::trouble::Trouble;
use crate::jobs::clock::JobClock;
use crate::jobs::gate::JobGate;
use crate::jobs::job::{Firing, Job};

/// Options of a timer: `timer "sample" every 5s { limit: 3 } => handler;`
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TimerOptions {
    /// How many ticks are skipped before the first that fires; 0 by default.
    /// With `skip: 2`, a timer of 5 seconds fires after 15, 20, 25.
    pub skip: u32,

    /// How often the timer fires before it ends; 0, the default, means without
    /// limit.
    pub limit: u64,

    /// Whether the timer also fires at the start of the server; off by default.
    /// That time counts toward `limit`, and `skip` comes after it.
    pub on_start: bool,
}

/// The position of a timer on its grid. It survives a panic.
struct Grid {
    /// The next tick; `None` if none ever comes.
    next: Option<Instant>,
    /// Whether the tick at the start is still to come.
    on_start: bool,
    /// How many missed ticks have not been logged yet.
    missed: u128,
    trouble: Trouble,
}

/// A declared timer.
#[derive(Debug)]
pub(crate) struct Timer<Context> {
    pub(crate) job: Job<Instant, Context>,
    pub(crate) interval: Duration,
    skip: u32,
    on_start: bool,
}

impl<Context: Clone> Timer<Context> {
    pub(crate) fn new<Handler, Done>(
        name: &'static str,
        interval: Duration,
        options: TimerOptions,
        handler: Handler,
    ) -> Timer<Context>
    where
        Handler: Fn(Firing<Instant, Context>) -> Done + Send + Sync + 'static,
        Done: Future<Output: Outcome> + Send + 'static,
    {
        let TimerOptions { skip, limit, on_start } = options;
        let job = Job::new("timer", name, limit, handler);
        Timer { job, interval, skip, on_start }
    }

    /// Fires until the limit is reached, or `stopping` holds a deadline. A
    /// handler that runs then may finish; dropping the future aborts it.
    pub(crate) async fn run(
        &self,
        clock: &impl JobClock,
        context: &Context,
        gate: &JobGate,
        mut stopping: watch::Receiver<Option<Instant>>,
    ) {
        // A tick beyond the range of time never comes.
        let wait = self.interval.saturating_mul(self.skip.saturating_add(1));
        let mut grid = Grid {
            next: clock.now().checked_add(wait),
            on_start: self.on_start,
            missed: 0,
            trouble: Trouble::default(),
        };
        let mut supervisor = Supervisor::new(&self.job);
        let mut tick = async || self.tick(&mut grid, clock, context, gate, &mut stopping).await;
        while supervisor.watch(tick()).await.is_none() {}
    }

    async fn tick(
        &self,
        grid: &mut Grid,
        clock: &impl JobClock,
        context: &Context,
        gate: &JobGate,
        stopping: &mut watch::Receiver<Option<Instant>>,
    ) {
        if mem::take(&mut grid.on_start) {
            let Some(_turn) = gate.turn(stopping).await else { return };
            self.job.fire(grid.next, context).await;
        }
        while !self.job.is_done() {
            self.skip_missed(grid, clock.now());
            self.job.expect(grid.next);
            let Some(tick) = grid.next else { return };
            tokio::select! {
                biased;
                _ = stopping.wait_for(Option::is_some) => return,
                () = clock.sleep_until(tick) => {}
            }
            let Some(_turn) = gate.turn(stopping).await else { return };
            grid.next = tick.checked_add(self.interval);
            self.job.fire(grid.next, context).await;
        }
    }

    /// Advances to the first tick whose time has not passed.
    fn skip_missed(&self, grid: &mut Grid, now: Instant) {
        let Some(tick) = grid.next else { return };
        let behind = now.duration_since(tick).as_nanos();
        if behind == 0 {
            return;
        }
        let interval = self.interval.as_nanos();
        grid.missed += behind.div_ceil(interval);
        // Less than the interval, which is less than the time just passed.
        let since_the_last = Duration::from_nanos((behind % interval) as u64);
        grid.next = match since_the_last.is_zero() {
            true => Some(now),
            false => now.checked_add(self.interval - since_the_last),
        };
        let is_due = grid.trouble.begins();
        // The next tick may well be in time.
        grid.trouble.ends();
        if is_due {
            let missed = mem::take(&mut grid.missed);
            tracing::warn!(missed, "{} is behind its interval of {:?}", self.job, self.interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::base::log::Collected;
    use crate::jobs::clock::MachineClock;

    /// Runs a timer for some seconds of paused time, and returns the seconds at
    /// which it fired. The handler gets the count.
    async fn fired<Done>(
        options: TimerOptions,
        seconds: u64,
        handler: impl Fn(u64) -> Done + Send + Sync + 'static,
    ) -> Vec<u64>
    where
        Done: Future<Output: Outcome> + Send + 'static,
    {
        let started = Instant::now();
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let timer = Timer::new(
            "test",
            Duration::from_secs(5),
            options,
            move |firing: Firing<Instant, ()>| {
                seen.lock().unwrap().push(started.elapsed().as_secs());
                handler(firing.count)
            },
        );
        let (_stop, stopping) = watch::channel(None);
        let (clock, gate) = (MachineClock::default(), JobGate::default());
        let running = timer.run(&clock, &(), &gate, stopping);
        let _ = tokio::time::timeout(Duration::from_secs(seconds), running).await;
        times.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn it_fires_at_its_interval() {
        let nothing = async |_| ();
        assert_eq!(fired(TimerOptions::default(), 16, nothing).await, [5, 10, 15]);
        let options = TimerOptions { skip: 2, ..TimerOptions::default() };
        assert_eq!(fired(options, 21, nothing).await, [15, 20]);
        let options = TimerOptions { on_start: true, ..TimerOptions::default() };
        assert_eq!(fired(options, 11, nothing).await, [0, 5, 10]);
        let options = TimerOptions { limit: 3, ..TimerOptions::default() };
        assert_eq!(fired(options, 1000, nothing).await, [5, 10, 15]);
        let options = TimerOptions { limit: 3, on_start: true, skip: 1 };
        assert_eq!(fired(options, 1000, nothing).await, [0, 10, 15]);
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_that_are_overrun_are_skipped() {
        let slow_once = async |count| {
            if count == 1 {
                tokio::time::sleep(Duration::from_secs(12)).await;
            }
        };
        assert_eq!(fired(TimerOptions::default(), 31, slow_once).await, [5, 20, 25, 30]);
        let just_as_long = async |_| tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(fired(TimerOptions::default(), 16, just_as_long).await, [5, 10, 15]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_always_late_is_told_once_a_minute() {
        let (log, _guard) = Collected::begin();
        // It misses two of three.
        let slow = async |_| tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(fired(TimerOptions::default(), 150, slow).await.len(), 10);
        let text = log.text();
        let told: Vec<_> =
            text.lines().filter_map(|line| line.split_once(" missed=")).map(|it| it.1).collect();
        assert_eq!(told, ["2", "8", "8"], "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn neither_an_error_nor_a_panic_stops_it() {
        let unlucky = async |count| match count {
            1 => Err("no"),
            2 => panic!("as the test wants it"),
            _ => Ok(()),
        };
        assert_eq!(fired(TimerOptions::default(), 21, unlucky).await, [5, 10, 15, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_panics_costs_no_tick_and_repeats_none() {
        let (_log, _guard) = Collected::begin_fragile("ERROR timer `test`: \"no");
        let options = TimerOptions { limit: 4, on_start: true, skip: 1 };
        let unlucky = async |_| Err::<(), _>("no");
        assert_eq!(fired(options, 1000, unlucky).await, [0, 10, 15, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_event_knows_the_count_and_the_next_tick() {
        let known = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&known);
        let started = Instant::now();
        let handler = move |firing: Firing<Instant, ()>| {
            let next = firing.next.map(|next| next.duration_since(started).as_secs());
            seen.lock().unwrap().push((firing.name, firing.count, next));
            std::future::ready(())
        };
        let options = TimerOptions { limit: 2, ..TimerOptions::default() };
        let timer = Timer::new("test", Duration::from_secs(5), options, handler);
        let (_stop, stopping) = watch::channel(None);
        timer.run(&MachineClock::default(), &(), &JobGate::default(), stopping).await;
        timer.job.invoke(&()).await;
        assert_eq!(
            *known.lock().unwrap(),
            [("test", 1, Some(10)), ("test", 2, None), ("test", 2, None)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_beyond_all_time_is_waited_for_without_harm() {
        let options = TimerOptions { skip: u32::MAX, ..TimerOptions::default() };
        let timer = Timer::new("test", Duration::MAX, options, async |_: Firing<Instant, ()>| ());
        let (_stop, stopping) = watch::channel(None);
        timer.run(&MachineClock::default(), &(), &JobGate::default(), stopping).await;
    }
}
