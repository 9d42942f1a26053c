//! Timers: a handler that fires at an interval.
//!
//! Ticks lie on a grid that starts with the server, so they don't drift however
//! long handlers take. A tick whose time passes before the previous one is done
//! is skipped; the log reports this at most once a minute.
//!
//! Where only one of many nodes fires, the grid begins in 1970 instead, by a clock that all
//! nodes go by, and each claims a tick when its time comes.

use std::mem;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::base::outcome::Outcome;
use crate::base::supervisor::Supervisor;
use crate::base::trouble::Trouble;
use crate::jobs::claim::{FiresOn, Slots, milliseconds};
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

    /// On which nodes the timer fires, if a backplane joins several; on each by default.
    /// With `OneNode`, each tick fires on one node at most, and the other options count
    /// those of this node. At its start, it fires if no other node can have fired at the
    /// tick before.
    pub on: FiresOn,
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

/// The same of one whose grid all nodes share.
struct SharedGrid {
    /// When it fires next, since 1970; unknown at the start.
    next: Option<Duration>,
    on_start: bool,
    skip: u32,
}

/// A declared timer.
#[derive(Debug)]
pub(crate) struct Timer<Context> {
    pub(crate) job: Job<Instant, Context>,
    pub(crate) interval: Duration,
    skip: u32,
    on_start: bool,
    on: FiresOn,
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
        let TimerOptions { skip, limit, on_start, on } = options;
        let job = Job::new("timer", name, limit, handler);
        Timer { job, interval, skip, on_start, on }
    }

    /// Fires until the limit is reached, or `stopping` holds a deadline. A
    /// handler that runs then may finish; dropping the future aborts it.
    pub(crate) async fn run(
        &self,
        clock: &impl JobClock,
        context: &Context,
        gate: &JobGate,
        slots: Option<&dyn Slots>,
        mut stopping: watch::Receiver<Option<Instant>>,
    ) {
        let mut supervisor = Supervisor::new(&self.job);
        if let Some(slots) = slots.filter(|_| self.on == FiresOn::OneNode) {
            let (on_start, skip) = (self.on_start, self.skip);
            let mut grid = SharedGrid { next: None, on_start, skip };
            let mut tick = async || {
                self.tick_in_slots(&mut grid, slots, clock, context, gate, &mut stopping).await;
            };
            while supervisor.watch(tick()).await.is_none() {}
            return;
        }
        // A tick beyond the range of time never comes.
        let wait = self.interval.saturating_mul(self.skip.saturating_add(1));
        let mut grid = Grid {
            next: clock.now().checked_add(wait),
            on_start: self.on_start,
            missed: 0,
            trouble: Trouble::default(),
        };
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
            self.job.fire(grid.next, self.on.fence_alone(), context).await;
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
            self.job.fire(grid.next, self.on.fence_alone(), context).await;
        }
    }

    async fn tick_in_slots(
        &self,
        grid: &mut SharedGrid,
        slots: &dyn Slots,
        clock: &impl JobClock,
        context: &Context,
        gate: &JobGate,
        stopping: &mut watch::Receiver<Option<Instant>>,
    ) {
        while !self.job.is_done() {
            let time = tokio::select! {
                biased;
                _ = stopping.wait_for(Option::is_some) => return,
                time = slots.time() => time,
            };
            let now = clock.now();
            let shown = time.when(now);
            // Less than the time since 1970, which fits until 2554.
            let behind = (shown.as_nanos() % self.interval.as_nanos()) as u64;
            let behind = Duration::from_nanos(behind);
            let slot = shown - behind;
            let mut after_the_skipped =
                || self.interval.saturating_mul(mem::take(&mut grid.skip).saturating_add(1));
            let next = match grid.next {
                Some(next) => next,
                None if mem::take(&mut grid.on_start) => slot,
                None => slot.saturating_add(after_the_skipped()),
            };
            if slot < next {
                grid.next = Some(next);
                let tick = now.checked_add(next - shown);
                self.job.expect(tick);
                // A tick beyond the range of time never comes.
                let Some(tick) = tick else { return };
                tokio::select! {
                    biased;
                    _ = stopping.wait_for(Option::is_some) => return,
                    () = clock.sleep_until(tick) => continue,
                }
            }
            grid.next = Some(slot.saturating_add(after_the_skipped()));
            let Some(end) = now.checked_add(self.interval - behind) else { return };
            // Whoever is held claims nothing: it couldn't fire.
            let Some(_) = gate.turn(stopping).await else { return };
            let fence = milliseconds(slot);
            let is_ours = tokio::select! {
                biased;
                _ = stopping.wait_for(Option::is_some) => return,
                () = clock.sleep_until(end) => false,
                is_ours = slots.claim(self.job.key(), fence) => is_ours,
            };
            if !is_ours {
                continue;
            }
            let Some(_turn) = gate.turn(stopping).await else { return };
            // After it, others may have fired.
            if clock.now() < end {
                self.job.fire(Some(end), Some(fence), context).await;
            }
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

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::base::log::Collected;
    use crate::jobs::claim::SharedTime;
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
        let running = timer.run(&clock, &(), &gate, None, stopping);
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
        let options = TimerOptions { limit: 3, on_start: true, skip: 1, ..TimerOptions::default() };
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
        let options = TimerOptions { limit: 4, on_start: true, skip: 1, ..TimerOptions::default() };
        let unlucky = async |_| Err::<(), _>("no");
        assert_eq!(fired(options, 1000, unlucky).await, [0, 10, 15, 20]);
    }

    /// Has every slot won, after some time.
    struct Won {
        time: SharedTime,
        after: Duration,
    }

    impl Slots for Won {
        fn time(&self) -> BoxFuture<'_, SharedTime> {
            std::future::ready(self.time).boxed()
        }

        fn claim(&self, job: String, _: u64) -> BoxFuture<'_, bool> {
            assert_eq!(job, "timer test");
            tokio::time::sleep(self.after).map(|()| true).boxed()
        }
    }

    /// Runs a timer on one node for some seconds, where the shared time begins at 1003.6 s
    /// and claims are answered after so many milliseconds; returns the fences.
    async fn fences(options: TimerOptions, seconds: u64, after: Option<u64>) -> Vec<u64> {
        let fences = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&fences);
        let handler = move |firing: Firing<Instant, ()>| {
            seen.lock().unwrap().push(firing.fence.unwrap());
            std::future::ready(())
        };
        let options = TimerOptions { on: FiresOn::OneNode, ..options };
        let timer = Timer::new("test", Duration::from_secs(5), options, handler);
        let (_stop, stopping) = watch::channel(None);
        let (clock, gate) = (MachineClock::default(), JobGate::default());
        let time = SharedTime { since_1970: Duration::from_millis(1_003_600), at: Instant::now() };
        let won = after.map(|after| Won { time, after: Duration::from_millis(after) });
        let slots = won.as_ref().map(|won| won as &dyn Slots);
        let running = timer.run(&clock, &(), &gate, slots, stopping);
        let _ = tokio::time::timeout(Duration::from_secs(seconds), running).await;
        fences.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn on_one_node_it_goes_by_the_time_that_nodes_share() {
        let options = TimerOptions::default();
        assert_eq!(fences(options, 12, Some(10)).await, [1_005_000, 1_010_000, 1_015_000]);
        let options = TimerOptions { on_start: true, skip: 1, limit: 2, ..Default::default() };
        assert_eq!(fences(options, 100, Some(10)).await, [1_000_000, 1_010_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_won_when_it_is_over_does_not_fire() {
        assert_eq!(fences(TimerOptions::default(), 100, Some(4_999)).await.len(), 19);
        assert_eq!(fences(TimerOptions::default(), 100, Some(5_000)).await, [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn alone_it_fires_as_on_each_node() {
        let fences = fences(TimerOptions::default(), 16, None).await;
        assert!(fences.len() == 3 && fences.is_sorted_by(|one, next| one < next), "{fences:?}");
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
        timer.run(&MachineClock::default(), &(), &JobGate::default(), None, stopping).await;
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
        timer.run(&MachineClock::default(), &(), &JobGate::default(), None, stopping).await;
    }
}
