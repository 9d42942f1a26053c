//! Schedules: a handler that fires by the wall clock.
//!
//! The clock may be set at any time, so nothing here sleeps until the next
//! time: it checks the clock repeatedly. Its `calendar` computes the next time.

use std::mem;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use pode_core::cron::Cron;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::base::outcome::Outcome;
use crate::base::supervisor::Supervisor;
use crate::jobs::calendar::Calendar;
use crate::jobs::claim::{FiresOn, Slots};
use crate::jobs::clock::JobClock;
use crate::jobs::gate::JobGate;
use crate::jobs::job::{Firing, Job};

/// Options of a schedule:
/// `schedule "nightly" cron "0 0 * * *" { limit: 3 } => handler;`
///
/// Moments may be any expression of their type:
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # let mut options = pode_runtime::ScheduleOptions::default();
/// # fn in_an_hour() -> SystemTime { SystemTime::now() + Duration::from_secs(3600) }
/// options.starts_at = Some(in_an_hour());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ScheduleOptions {
    /// How often the schedule fires before it ends; 0, the default, means
    /// without limit.
    pub limit: u64,

    /// Whether the schedule also fires at the start of the server, whatever the
    /// time and `starts_at`; off by default. That time counts toward `limit`.
    pub on_start: bool,

    /// The moment before which it doesn't fire; none by default.
    pub starts_at: Option<SystemTime>,

    /// The moment after which it no longer fires; none by default.
    pub ends_at: Option<SystemTime>,

    /// On which nodes the schedule fires, if a backplane joins several; on each by
    /// default. With `OneNode`, each time fires on one node at most, and the other options
    /// count those of this node. At the start, it fires once for all nodes that start in
    /// one minute.
    pub on: FiresOn,
}

/// A declared schedule.
#[derive(Debug)]
pub(crate) struct Schedule<Context> {
    pub(crate) job: Job<SystemTime, Context>,
    expressions: Vec<Cron>,
    on_start: bool,
    starts_at: Option<SystemTime>,
    ends_at: Option<SystemTime>,
    on: FiresOn,
}

/// What a firing waits for.
struct Turns<'run> {
    gate: &'run JobGate,
    /// Says which node fires, if only one does.
    slots: Option<&'run dyn Slots>,
    stopping: watch::Receiver<Option<Instant>>,
}

impl<Context: Clone> Schedule<Context> {
    pub(crate) fn new<Handler, Done>(
        name: &'static str,
        expressions: Vec<Cron>,
        options: ScheduleOptions,
        handler: Handler,
    ) -> Schedule<Context>
    where
        Handler: Fn(Firing<SystemTime, Context>) -> Done + Send + Sync + 'static,
        Done: Future<Output: Outcome> + Send + 'static,
    {
        let ScheduleOptions { limit, on_start, starts_at, ends_at, on } = options;
        let job = Job::new("schedule", name, limit, handler);
        Schedule { job, expressions, on_start, starts_at, ends_at, on }
    }

    /// Fires until the limit or `ends_at` is reached, or `stopping` holds a
    /// deadline. A handler that runs then may finish; dropping the future
    /// aborts it.
    pub(crate) async fn run(
        &self,
        clock: &impl JobClock,
        context: &Context,
        gate: &JobGate,
        slots: Option<&dyn Slots>,
        stopping: watch::Receiver<Option<Instant>>,
    ) {
        let now = clock.wall().timestamp();
        let mut calendar = Calendar::new(&self.expressions, self.starts_at, self.ends_at, now);
        let slots = slots.filter(|_| self.on == FiresOn::OneNode);
        let mut turns = Turns { gate, slots, stopping };
        let mut supervisor = Supervisor::new(&self.job);
        // Whether it has yet to fire at the start. This and the calendar
        // survive a panic.
        let mut on_start = self.on_start;
        let mut fire = async || {
            let is_start = mem::take(&mut on_start);
            self.fire_all(clock, &mut calendar, is_start, context, &mut turns).await;
        };
        while supervisor.watch(fire()).await.is_none() {}
    }

    async fn fire_all(
        &self,
        clock: &impl JobClock,
        calendar: &mut Calendar<'_>,
        is_start: bool,
        context: &Context,
        turns: &mut Turns<'_>,
    ) {
        if is_start {
            let now = clock.wall().timestamp();
            self.fire_one(now, clock, calendar, context, turns).await;
        }
        while !self.job.is_done() && turns.stopping.borrow().is_none() {
            let now = clock.wall();
            let next = calendar.next(&now);
            self.job.expect(next.map(SystemTime::from));
            let Some(next) = next else { return };
            let wait = next.duration_since(now.timestamp());
            if wait.is_positive() {
                tokio::select! {
                    biased;
                    _ = turns.stopping.wait_for(Option::is_some) => return,
                    () = clock.sleep(wait.unsigned_abs()) => continue,
                }
            }
            self.fire_one(next, clock, calendar, context, turns).await;
        }
    }

    /// Fires for a time, if it is for this node to do.
    async fn fire_one(
        &self,
        time: Timestamp,
        clock: &impl JobClock,
        calendar: &mut Calendar<'_>,
        context: &Context,
        turns: &mut Turns<'_>,
    ) {
        let Turns { gate, slots, stopping } = turns;
        let Some(turn) = gate.turn(stopping).await else { return };
        // If the clock was set back meanwhile, this time would otherwise
        // still be to come.
        calendar.fire(time);
        let Some(slots) = slots else {
            return self.fire(self.on.fence_alone(), clock, calendar, context).await;
        };
        drop(turn);
        let slot = time.as_second().div_euclid(60) * 60_000;
        let fence = slot.try_into().unwrap_or_default();
        let mut claim = slots.claim(self.job.key(), fence);
        let left = |calendar: &mut Calendar<'_>| {
            let now = clock.wall();
            calendar.next(&now).map(|next| next.duration_since(now.timestamp()))
        };
        loop {
            // Until the next time, which others may have got.
            let left = left(calendar);
            if left.is_some_and(|left| !left.is_positive()) {
                return;
            }
            let left = left.map_or(Duration::MAX, |left| left.unsigned_abs());
            tokio::select! {
                biased;
                _ = stopping.wait_for(Option::is_some) => return,
                is_ours = &mut claim => if is_ours { break } else { return },
                () = clock.sleep(left) => {}
            }
        }
        let Some(_turn) = gate.turn(stopping).await else { return };
        if left(calendar).is_none_or(|left| left.is_positive()) {
            self.fire(Some(fence), clock, calendar, context).await;
        }
    }

    /// Fires once. This covers all times before it; times that come while it
    /// runs are skipped.
    async fn fire(
        &self,
        fence: Option<u64>,
        clock: &impl JobClock,
        calendar: &mut Calendar<'_>,
        context: &Context,
    ) {
        let now = clock.wall();
        calendar.fire(now.timestamp());
        let next = calendar.next(&now);
        self.job.fire(next.map(SystemTime::from), fence, context).await;
        let now = clock.wall().timestamp();
        if !self.job.is_done() && next.is_some_and(|next| next <= now) {
            calendar.pass(now);
            tracing::warn!("{} was still running when its next time came", self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use jiff::civil::DateTime;
    use jiff::tz::TimeZone;
    use jiff::{SignedDuration, Zoned};
    use std::sync::{Arc, Mutex};
    use tokio::time::sleep;

    use super::*;
    use crate::base::log::Collected;
    use crate::jobs::claim::SharedTime;

    /// A clock in Berlin that goes with tokio's, until it is set. Berlin is an
    /// hour ahead of UTC in winter and two in summer, which begins on 29 March
    /// and ends on 25 October in 2026, at 1:00 UTC.
    #[derive(Clone)]
    struct TestClock {
        set: Arc<Mutex<(Instant, Zoned)>>,
    }

    impl TestClock {
        fn at(shown: &str) -> TestClock {
            TestClock { set: Arc::new(Mutex::new((Instant::now(), local(shown)))) }
        }

        fn set(&self, shown: &str) {
            *self.set.lock().unwrap() = (Instant::now(), local(shown));
        }
    }

    impl JobClock for TestClock {
        fn wall(&self) -> Zoned {
            let (when, shown) = &*self.set.lock().unwrap();
            shown + when.elapsed()
        }
    }

    /// Of two moments that read the same, returns the first.
    fn local(shown: &str) -> Zoned {
        let berlin = TimeZone::get("Europe/Berlin")
            .expect("there is a time zone database: on Debian, install `tzdata`");
        shown.parse::<DateTime>().unwrap().to_zoned(berlin).unwrap()
    }

    /// A running schedule, and what its clock showed when it fired.
    struct Running {
        clock: TestClock,
        fired: Arc<Mutex<Vec<String>>>,
        task: tokio::task::JoinHandle<()>,
        gate: JobGate,
        _stop: watch::Sender<Option<Instant>>,
    }

    impl Running {
        fn start(shown: &str, expressions: &[&str], options: ScheduleOptions) -> Running {
            Running::start_with(shown, expressions, options, async |_: Time| ())
        }

        fn start_with<Done>(
            shown: &str,
            expressions: &[&str],
            options: ScheduleOptions,
            handler: impl Fn(Time) -> Done + Send + Sync + 'static,
        ) -> Running
        where
            Done: Future<Output: Outcome> + Send + 'static,
        {
            let clock = TestClock::at(shown);
            let fired = Arc::new(Mutex::new(Vec::new()));
            let (shows, times) = (clock.clone(), Arc::clone(&fired));
            let expressions = expressions.iter().map(|written| Cron::parse(written).unwrap());
            let schedule =
                Schedule::new("test", expressions.collect(), options, move |event: Time| {
                    let wall = shows.wall();
                    let ahead = wall.offset().seconds() / 3600;
                    times.lock().unwrap().push(format!("{} +{ahead}", wall.strftime("%d %R")));
                    handler(event)
                });
            let (stop, stopping) = watch::channel(None);
            let gate = JobGate::default();
            let (clock_of_task, ticks_of_task) = (clock.clone(), gate.clone());
            let task = tokio::spawn(async move {
                schedule.run(&clock_of_task, &(), &ticks_of_task, None, stopping).await;
            });
            Running { clock, fired, task, gate, _stop: stop }
        }

        /// Lets paused time pass, and returns when the schedule fired
        /// meanwhile.
        async fn after(&self, minutes: u64) -> Vec<String> {
            sleep(Duration::from_secs(60 * minutes)).await;
            std::mem::take(&mut *self.fired.lock().unwrap())
        }
    }

    /// The handler's argument.
    type Time = Firing<SystemTime, ()>;

    const NONE: [&str; 0] = [];

    fn options() -> ScheduleOptions {
        ScheduleOptions::default()
    }

    #[tokio::test(start_paused = true)]
    async fn it_fires_when_any_expression_says_so() {
        let expressions = ["0 13 * * *", "15,45 * * * *", "45 * * * *"];
        let running = Running::start("2026-05-01 12:30:20.5", &expressions, options());
        assert_eq!(running.after(60).await, ["01 12:45 +2", "01 13:00 +2", "01 13:15 +2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn when_clocks_go_forward_what_lies_in_the_gap_comes_right_after_it() {
        let night = "2026-03-28 23:00:00";
        let running = Running::start(night, &["30 2 * * *"], options());
        assert_eq!(running.after(30 * 60).await, ["29 03:00 +2", "30 02:30 +2"]);
        let running = Running::start(night, &["*/20 2,3 * * *"], options());
        let once = ["29 03:00 +2", "29 03:20 +2", "29 03:40 +2"];
        assert_eq!(running.after(10 * 60).await, once);
        // An hourly schedule fires every hour.
        let running = Running::start(night, &["30 * * * *"], options());
        let hourly = ["28 23:30 +1", "29 00:30 +1", "29 01:30 +1", "29 03:30 +2"];
        assert_eq!(running.after(4 * 60).await, hourly);
    }

    #[tokio::test(start_paused = true)]
    async fn when_clocks_go_back_what_reads_alike_comes_once() {
        let night = "2026-10-25 00:00:00";
        let running = Running::start(night, &["30 2 * * *"], options());
        assert_eq!(running.after(30 * 60).await, ["25 02:30 +2", "26 02:30 +1"]);
        let running = Running::start(night, &["0,30 1-3 * * *"], options());
        let once = [
            "25 01:00 +2",
            "25 01:30 +2",
            "25 02:00 +2",
            "25 02:30 +2",
            "25 03:00 +1",
            "25 03:30 +1",
        ];
        assert_eq!(running.after(6 * 60).await, once);
        // An hourly schedule fires every hour.
        let running = Running::start(night, &["30 * * * *"], options());
        let hourly = ["25 00:30 +2", "25 01:30 +2", "25 02:30 +2", "25 02:30 +1", "25 03:30 +1"];
        assert_eq!(running.after(5 * 60).await, hourly);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_forward_fires_once_for_all_it_leaps_over() {
        let running = Running::start("2026-05-01 11:59:30", &["0 * * * *"], options());
        assert_eq!(running.after(10).await, ["01 12:00 +2"]);
        running.clock.set("2026-05-01 17:20:00");
        assert_eq!(running.after(10).await, ["01 17:20 +2"]);
        assert_eq!(running.after(60).await, ["01 18:00 +2"]);
        // If the clock leaps over no time, nothing fires.
        running.clock.set("2026-05-01 18:59:00");
        assert_eq!(running.after(10).await, ["01 19:00 +2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_by_little_fires_for_nothing_twice() {
        let running = Running::start("2026-05-01 10:59:30", &["0 11 * * *"], options());
        assert_eq!(running.after(60).await, ["01 11:00 +2"]);
        running.clock.set("2026-05-01 09:30:00");
        assert_eq!(running.after(26 * 60).await, ["02 11:00 +2"]);

        let running = Running::start("2026-05-01 10:59:30", &["* * * * *"], options());
        assert_eq!(running.after(1).await, ["01 11:00 +2"]);
        running.clock.set("2026-05-01 10:59:50");
        assert_eq!(running.after(1).await, NONE);
        assert_eq!(running.after(1).await, ["01 11:01 +2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_fires_for_what_it_has_not_fired_for() {
        // The clock was ahead at the start.
        let start = "2026-05-01 02:31:00";
        for on_start in [false, true] {
            let options = ScheduleOptions { on_start, ..options() };
            let running = Running::start(start, &["30 2 * * *"], options);
            assert_eq!(running.after(1).await.len(), usize::from(on_start));
            running.clock.set("2026-05-01 02:29:48");
            assert_eq!(running.after(24 * 60).await, ["01 02:30 +2"]);
            assert_eq!(running.after(1).await, ["02 02:30 +2"]);
        }
        let running = Running::start("2026-05-01 02:30:10", &["30 * * * *"], options());
        assert_eq!(running.after(1).await, NONE);
        running.clock.set("2026-05-01 02:29:48");
        assert_eq!(running.after(1).await, ["01 02:30 +2"]);

        // Each expression and each of its times is remembered separately.
        let expressions = ["30 2 * * *", "45 2,3 * * *", "15 3 * * *"];
        let running = Running::start(start, &expressions, options());
        assert_eq!(running.after(60).await, ["01 02:45 +2", "01 03:15 +2"]);
        running.clock.set("2026-05-01 02:29:00");
        assert_eq!(running.after(5).await, ["01 02:30 +2"]);
        running.clock.set("2026-05-01 02:20:00");
        assert_eq!(running.after(120).await, ["01 03:45 +2"]);
        running.clock.set("2026-05-01 02:20:00");
        let next_day = ["02 02:30 +2", "02 02:45 +2", "02 03:15 +2", "02 03:45 +2"];
        assert_eq!(running.after(26 * 60).await, next_day);

        // Skipped times have not fired, either.
        let slow_once = async |event: Time| {
            if event.count == 1 {
                sleep(Duration::from_secs(40 * 60)).await;
            }
        };
        let running =
            Running::start_with("2026-05-01 01:59:30", &["*/30 2-4 * * *"], options(), slow_once);
        assert_eq!(running.after(42).await, ["01 02:00 +2"]);
        running.clock.set("2026-05-01 01:55:00");
        assert_eq!(running.after(60).await, ["01 02:30 +2"]);
        // A large setback is believed: all times come again, even earlier ones.
        let times = ["01 03:00 +2", "01 03:30 +2", "01 04:00 +2", "01 04:30 +2"];
        assert_eq!(running.after(125).await, times);
        running.clock.set("2026-05-01 01:25:00");
        assert_eq!(running.after(70).await, ["01 02:00 +2", "01 02:30 +2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_by_much_is_believed() {
        let running = Running::start("2026-05-01 10:59:30", &["0 11 * * *"], options());
        assert_eq!(running.after(1).await, ["01 11:00 +2"]);
        running.clock.set("2026-04-20 10:59:30");
        assert_eq!(running.after(1).await, ["20 11:00 +2"]);

        // An expression without hours of its own follows the clock.
        let running = Running::start("2026-05-01 10:59:30", &["0 * * * *"], options());
        assert_eq!(running.after(1).await, ["01 11:00 +2"]);
        running.clock.set("2026-05-01 09:30:00");
        assert_eq!(running.after(60).await, ["01 10:00 +2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_comes_while_it_runs_is_skipped() {
        let slow_once = async |event: Time| {
            if event.count == 1 {
                sleep(Duration::from_secs(150)).await;
            }
        };
        let running =
            Running::start_with("2026-05-01 11:59:30", &["* * * * *"], options(), slow_once);
        assert_eq!(running.after(5).await, ["01 12:00 +2", "01 12:03 +2", "01 12:04 +2"]);
        // It may also be the run at the start that takes long.
        let on_start = ScheduleOptions { on_start: true, ..options() };
        let running =
            Running::start_with("2026-05-01 11:59:20", &["* * * * *"], on_start, slow_once);
        assert_eq!(running.after(4).await, ["01 11:59 +2", "01 12:02 +2", "01 12:03 +2"]);
    }

    /// Has every slot won, after some time.
    struct Won {
        after: Duration,
        claimed: Mutex<Vec<(String, u64)>>,
    }

    impl Slots for Won {
        fn time(&self) -> BoxFuture<'_, SharedTime> {
            std::future::pending().boxed()
        }

        fn claim(&self, job: String, slot: u64) -> BoxFuture<'_, bool> {
            self.claimed.lock().unwrap().push((job, slot));
            sleep(self.after).map(|()| true).boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_is_won_when_the_next_has_come_does_not_fire() {
        for (seconds, fires) in [(0, true), (59, true), (60, false)] {
            let clock = TestClock::at("2026-05-01 11:59:30");
            let fences = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&fences);
            let handler = move |event: Time| {
                seen.lock().unwrap().push(event.fence.unwrap());
                std::future::ready(())
            };
            let options = ScheduleOptions { on: FiresOn::OneNode, ..options() };
            let each_minute = vec![Cron::parse("* * * * *").unwrap()];
            let schedule = Schedule::new("test", each_minute, options, handler);
            let (_stop, stopping) = watch::channel(None);
            let won = Won { after: Duration::from_secs(seconds), claimed: Mutex::default() };
            let (gate, slots) = (JobGate::default(), Some(&won as &dyn Slots));
            let running = schedule.run(&clock, &(), &gate, slots, stopping);
            let _ = tokio::time::timeout(Duration::from_secs(170), running).await;
            let noon = Timestamp::from(local("2026-05-01 12:00:00")).as_millisecond() as u64;
            let minutes = [noon, noon + 60_000, noon + 120_000];
            let claimed = minutes.map(|slot| ("schedule test".to_owned(), slot));
            assert_eq!(*won.claimed.lock().unwrap(), claimed);
            // The last one is still being claimed.
            let expected = if seconds == 0 { &minutes[..] } else { &minutes[..2] };
            assert_eq!(*fences.lock().unwrap(), if fires { expected } else { &[] });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_ticks_are_held_comes_once_when_they_are_let_go() {
        let (next, mut coming) = tokio::sync::mpsc::unbounded_channel();
        let handler = move |event: Time| {
            next.send(event.next).unwrap();
            std::future::ready(())
        };
        let start = "2026-05-01 11:59:30";
        let running = Running::start_with(start, &["* * * * *"], options(), handler);
        assert!(running.gate.hold(Instant::now()).await);
        assert_eq!(running.after(5).await, NONE);
        running.gate.release();
        assert_eq!(running.after(1).await, ["01 12:04 +2", "01 12:05 +2"]);
        for next in ["2026-05-01 12:05:00", "2026-05-01 12:06:00"] {
            assert_eq!(coming.recv().await, Some(Some(local(next).into())));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_starts_and_ends_when_its_options_say_so() {
        let start = "2026-05-01 11:59:30";
        let limited = ScheduleOptions { limit: 3, on_start: true, ..options() };
        let running = Running::start(start, &["@minutely"], limited);
        assert_eq!(running.after(60).await, ["01 11:59 +2", "01 12:00 +2", "01 12:01 +2"]);
        running.task.await.unwrap();

        let times = ScheduleOptions {
            starts_at: Some(local("2026-05-01 14:00:00").into()),
            ends_at: Some(local("2026-05-01 16:00:00").into()),
            ..options()
        };
        let running = Running::start(start, &["@hourly"], times);
        assert_eq!(running.after(600).await, ["01 14:00 +2", "01 15:00 +2", "01 16:00 +2"]);
        running.task.await.unwrap();

        let never = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX as u64 / 2));
        let running =
            Running::start(start, &["@hourly"], ScheduleOptions { starts_at: never, ..options() });
        running.task.await.unwrap();
    }

    /// Dates in UTC end when those of a zone that is ahead have already ended.
    #[tokio::test(start_paused = true)]
    async fn a_start_at_the_end_of_all_dates_never_comes() {
        for expression in ["@hourly", "0 0 * * *"] {
            for hours_before in [0, 1, 24] {
                let before = SignedDuration::from_hours(hours_before);
                let starts_at = Some((Timestamp::MAX - before).into());
                let options = ScheduleOptions { starts_at, ..options() };
                Running::start("2026-05-01 11:59:30", &[expression], options).task.await.unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_panics_costs_no_time_and_repeats_none() {
        let (_log, _guard) = Collected::begin_fragile("ERROR schedule `test`: \"no");
        let options = ScheduleOptions { on_start: true, limit: 3, ..options() };
        let unlucky = async |_| Err::<(), _>("no");
        let running =
            Running::start_with("2026-05-01 12:00:30", &["*/5 * * * *"], options, unlucky);
        assert_eq!(running.after(60).await, ["01 12:00 +2", "01 12:05 +2", "01 12:10 +2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_event_knows_when_it_fires_next() {
        let next = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&next);
        let handler = move |event: Time| {
            seen.lock().unwrap().push((event.name, event.count, event.next));
            std::future::ready(())
        };
        let limited = ScheduleOptions { limit: 2, ..options() };
        let running = Running::start_with("2026-05-01 11:59:30", &["@daily"], limited, handler);
        running.task.await.unwrap();
        let midnight = SystemTime::from(local("2026-05-03 00:00:00"));
        assert_eq!(*next.lock().unwrap(), [("test", 1, Some(midnight)), ("test", 2, None)]);
    }
}
