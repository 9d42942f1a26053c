//! Three nodes and a carrier in memory, with faults that a seed decides and a clock that
//! runs as fast as it can: what each node's clients get, compared with what all of them
//! together got. Timers and schedules fire in one of them, though their clocks differ.

mod last;
mod others;
mod senders;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pode_core::hub::{Channel, Hub, Log, LogBounds, Position, PresenceChange, Receiver};
use pode_core::{SendError, SignalPath};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::last::{Lasts, lasting, speak};
use self::senders::{Senders, Served};
use super::carrier::FIRST_TERM;
use super::memory::{Dice, Memory};
use super::node::{CUT_OFF, Node};
use super::running::carry;
use crate::app::context::context_of;
use crate::app::presence::Attendance;
use crate::jobs::claim::FiresOn;
use crate::jobs::clock::JobClock;
use crate::jobs::gate::JobGate;
use crate::jobs::job::Firing;
#[cfg(feature = "schedule")]
use crate::jobs::schedule::{Schedule, ScheduleOptions};
use crate::jobs::timer::{Timer, TimerOptions};
use crate::push::engine::{Command, Envelope, Why};
use crate::push::publisher::Signals;

const PATHS: [SignalPath<String>; 2] = [SignalPath::new("/a"), SignalPath::new("/b")];

/// What somebody who is connected to a node all the time gets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Message { number: u64, payload: String },
    Epoch { epoch: u64, number: u64 },
    Missing { from: u64, until: u64, why: Why },
}

type Events = Arc<Mutex<Vec<Event>>>;

/// What became of each message that a node has sent.
type Sends = Arc<Mutex<Vec<(String, Result<(), SendError>)>>>;

/// The slots in which any node has fired something, in the order in which they did.
type Fired = Arc<Mutex<Vec<u64>>>;

/// How often timers fire.
const INTERVAL: Duration = Duration::from_secs(5);

/// What fires in a world, each with the milliseconds between two times.
#[derive(Clone, Default)]
struct Jobs {
    timer: Fired,
    schedule: Fired,
}

/// The clocks of a node: the one that schedules go by is wrong by some seconds.
#[derive(Clone)]
struct NodeClock {
    #[cfg_attr(not(feature = "schedule"), expect(dead_code, reason = "only schedules read it"))]
    carrier: Memory,
    #[cfg_attr(not(feature = "schedule"), expect(dead_code, reason = "only schedules read it"))]
    wrong_by_seconds: i64,
}

impl JobClock for NodeClock {
    #[cfg(feature = "schedule")]
    fn wall(&self) -> jiff::Zoned {
        let time = jiff::Timestamp::UNIX_EPOCH + self.carrier.time();
        let time = time + jiff::SignedDuration::from_secs(self.wrong_by_seconds);
        time.to_zoned(jiff::tz::TimeZone::UTC)
    }
}

impl Jobs {
    /// Has them fire in one node.
    fn run_in(&self, node: &Arc<Node<Memory>>, clock: &NodeClock, tasks: &mut JoinSet<()>) {
        let (never, stopping) = watch::channel(None);
        let (slots, clock, fired) = (Arc::clone(node), clock.clone(), Arc::clone(&self.timer));
        let options = TimerOptions { on: FiresOn::OneNode, ..TimerOptions::default() };
        let timer = Timer::new("stock", INTERVAL, options, move |it: Firing<_, ()>| {
            fired.lock().unwrap().push(it.fence.unwrap());
            std::future::ready(())
        });
        #[cfg(feature = "schedule")]
        {
            let (slots, clock, fired) =
                (Arc::clone(node), clock.clone(), Arc::clone(&self.schedule));
            let options = ScheduleOptions { on: FiresOn::OneNode, ..ScheduleOptions::default() };
            let each_minute = vec![pode_core::cron::Cron::parse("* * * * *").unwrap()];
            let handler = move |it: Firing<_, ()>| {
                fired.lock().unwrap().push(it.fence.unwrap());
                std::future::ready(())
            };
            let schedule = Schedule::new("stock", each_minute, options, handler);
            let stopping = stopping.clone();
            tasks.spawn(async move {
                let gate = JobGate::default();
                schedule.run(&clock, &(), &gate, Some(&*slots), stopping).await;
            });
        }
        tasks.spawn(async move {
            let _never = never;
            timer.run(&clock, &(), &JobGate::default(), Some(&*slots), stopping).await;
        });
    }
}

/// One process, from its start to its end.
struct Life {
    name: String,
    node: Arc<Node<Memory>>,
    /// At each path.
    events: Vec<Events>,
    /// What was said in its rooms, at each path.
    said: Vec<Lasts>,
    sends: Sends,
    is_silent: Arc<AtomicBool>,
    /// Who is there at the end, at which path.
    staying: Arc<Mutex<Vec<(usize, String)>>>,
    publishers: JoinSet<()>,
    tasks: JoinSet<()>,
    /// Those who send numbered messages.
    served: Served,
}

/// For how long clients that were cut off are present.
const GRACE: Duration = Duration::from_secs(2);

/// How many send side by side at each path of each node.
const PUBLISHERS: usize = 3;

/// How long it takes at most to notice that something is wrong, and to mend it.
const MENDING: Duration = Duration::from_secs(12);

impl Life {
    fn begin(name: String, carrier: &Memory, dice: &Dice, jobs: &Jobs) -> Life {
        let bounds = LogBounds { messages: 10_000, age: None, bytes: 10 << 20 };
        let log = || Some(Log::new(Position { epoch: 0, number: 0 }, bounds));
        let (hub, receivers) = Hub::with_logs(["/a", "/b"].map(|path| (path, 16, log())));
        hub.channels().for_each(Channel::be_carried);
        let graces = PATHS.map(|path| (path.as_str(), GRACE)).into();
        let signals = Signals::with_presence(hub, Duration::from_secs(5), graces);
        let context = context_of(signals.clone());
        let node = Node::new(carrier.clone(), &context, &lasting());
        let mut tasks = JoinSet::new();
        let events: Vec<Events> = receivers.iter().map(|_| Events::default()).collect();
        let said: Vec<Lasts> = receivers.iter().map(|_| Lasts::default()).collect();
        for ((receiver, events), said) in receivers.into_iter().zip(&events).zip(&said) {
            tasks.spawn(listen(receiver, Arc::clone(events), Arc::clone(said)));
        }
        let (sends, is_silent) = (Sends::default(), Arc::<AtomicBool>::default());
        let mut publishers = JoinSet::new();
        for publisher in 0..PUBLISHERS {
            for (index, path) in PATHS.into_iter().enumerate() {
                let (signals, dice) = (signals.clone(), dice.clone());
                let (sends, is_silent) = (Arc::clone(&sends), Arc::clone(&is_silent));
                let name = format!("{name}.{publisher}/{index}");
                publishers.spawn(async move {
                    for number in 0_u64.. {
                        if is_silent.load(Ordering::Relaxed) {
                            return;
                        }
                        let payload = format!("{name}:{number}");
                        let sent = signals.send(path, &payload).await;
                        sends.lock().unwrap().push((payload, sent));
                        sleep(Duration::from_millis(dice.below(1_000))).await;
                    }
                });
            }
        }
        for path in PATHS {
            publishers.spawn(speak(signals.clone(), path, dice.clone(), Arc::clone(&is_silent)));
        }
        let wrong_by_seconds = dice.below(9) as i64 - 4;
        let clock = NodeClock { carrier: carrier.clone(), wrong_by_seconds };
        jobs.run_in(&node, &clock, &mut tasks);
        let staying = Arc::<Mutex<Vec<_>>>::default();
        for (index, path) in PATHS.into_iter().enumerate() {
            for is_known in [true, false] {
                let (signals, dice, name) = (signals.clone(), dice.clone(), name.clone());
                let (staying, is_silent) = (Arc::clone(&staying), Arc::clone(&is_silent));
                publishers.spawn(async move {
                    for visit in 0.. {
                        if is_silent.load(Ordering::Relaxed) {
                            return;
                        }
                        // One that other nodes have, too; and many that nobody else has.
                        let id =
                            if is_known { "ada".to_owned() } else { format!("{name}.{visit}") };
                        let client = id.parse().unwrap();
                        let signals = signals.clone();
                        let client = Attendance::new(signals, path.as_str(), None, client, true);
                        let client = Arc::new(client);
                        let has_come = client.begin("1".into()).await.is_ok();
                        sleep(Duration::from_millis(dice.below(8_000))).await;
                        let stays = is_silent.load(Ordering::Relaxed) || dice.below(4) == 0;
                        if stays && has_come && !is_known {
                            return staying.lock().unwrap().push((index, id));
                        }
                        client.end(dice.below(2) == 0);
                        sleep(Duration::from_millis(dice.below(4_000))).await;
                    }
                });
            }
        }
        let running = Arc::clone(&node);
        tasks.spawn(async move {
            carry(running).await;
        });
        let served = Served::new(&context.sequences);
        Life { name, node, events, said, sends, is_silent, staying, publishers, tasks, served }
    }

    async fn stop_publishing(&mut self) {
        self.is_silent.store(true, Ordering::Relaxed);
        while self.publishers.join_next().await.is_some() {}
    }

    async fn kill(&mut self) {
        for tasks in [&mut self.publishers, &mut self.tasks] {
            tasks.abort_all();
            while tasks.join_next().await.is_some() {}
        }
        self.served.end();
    }

    fn channel(&self, path: usize) -> &Channel<Envelope> {
        &self.node.channels[path]
    }

    fn events(&self, path: usize) -> Vec<Event> {
        self.events[path].lock().unwrap().clone()
    }

    /// Returns the messages that the node still has of a path.
    fn kept(&self, path: usize) -> BTreeSet<u64> {
        let log = self.channel(path).log().unwrap();
        log.with(|log| log.kept().map(|kept| kept.number).collect())
    }
}

async fn listen(mut receiver: Receiver<Envelope>, events: Events, said: Lasts) {
    while let Some(envelope) = receiver.next().await {
        let next = receiver.number();
        said.lock().unwrap().hear(receiver.path(), next.saturating_sub(1), &envelope);
        let event = match envelope {
            Envelope::Broadcast(message) => Event::Message {
                number: next - 1,
                payload: String::from_utf8(message.payload().to_vec()).unwrap(),
            },
            Envelope::Command(command) => match &*command {
                Command::Epoch(epoch) => Event::Epoch { epoch: *epoch, number: next },
                Command::Missing { from, why } => {
                    Event::Missing { from: *from, until: next, why: *why }
                }
                Command::Presence(_) => continue,
                other => panic!("{other:?}"),
            },
            Envelope::Addressed(_) | Envelope::Keyed(_) => continue,
        };
        events.lock().unwrap().push(event);
    }
}

/// Which faults a world has.
#[derive(Clone, Copy, Debug)]
struct Faults {
    /// The carrier loses what it had.
    loses: bool,
    /// It keeps less than nodes need that are away.
    trims: bool,
    /// Nodes are killed, and others begin.
    kills: bool,
    /// No node may end the connection that it had before.
    is_unfenced: bool,
    /// Somebody else writes into the streams.
    scribbles: bool,
}

struct World {
    dice: Dice,
    carrier: Memory,
    lives: Vec<Life>,
    ended: Vec<Life>,
    begun: usize,
    jobs: Jobs,
    /// When the carrier couldn't be used, or no node was sure to last.
    disturbed: Vec<(Duration, Duration)>,
    senders: Senders,
}

impl World {
    fn new(seed: u64) -> World {
        let dice = Dice::new(seed);
        let carrier = Memory::new(PATHS.len() + 1, dice.clone());
        let (lives, ended) = (Vec::new(), Vec::new());
        let senders = Senders::new(&dice);
        let mut world = World {
            dice,
            carrier,
            lives,
            ended,
            begun: 0,
            jobs: Jobs::default(),
            disturbed: Vec::new(),
            senders,
        };
        (0..3).for_each(|_| world.begin());
        world.senders.begin();
        world
    }

    fn begin(&mut self) {
        let name = format!("n{}", self.begun);
        let life = Life::begin(name, &self.carrier.for_a_node(), &self.dice, &self.jobs);
        self.senders.serve(&life.served);
        self.lives.push(life);
        self.begun += 1;
    }

    async fn run(&mut self, faults: Faults) {
        self.carrier.set_faults(self.dice.below(8));
        self.carrier.be_unfenced(faults.is_unfenced);
        for _ in 0..self.dice.below(30) {
            sleep(Duration::from_millis(self.dice.below(3_000))).await;
            match self.dice.below(10) {
                0 => {
                    self.carrier.restart(0);
                    self.is_disturbed(0);
                }
                1 => self.stop_for_a_while(),
                2 if faults.loses => self.carrier.restart(1 + self.dice.below(30)),
                3 if faults.loses => self.carrier.flush(),
                4 if faults.loses => self.carrier.evict(self.dice.below(3) as usize),
                5 if faults.trims => self.carrier.trim(self.dice.below(10) as usize),
                6 if faults.kills => {
                    let which = self.dice.below(3) as usize;
                    self.is_disturbed(0);
                    let mut life = self.lives.remove(which);
                    life.kill().await;
                    self.ended.push(life);
                    self.begin();
                }
                7 => self.fill_for_a_while(),
                8 if faults.scribbles => {
                    self.is_disturbed(0);
                    for _ in 0..=self.dice.below(3) {
                        let is_of_now = self.dice.below(2) == 0;
                        self.carrier.scribble(self.dice.below(3) as usize, is_of_now);
                    }
                }
                _ => {}
            }
        }
        self.heal().await;
    }

    /// A node is stopped, and another begins.
    async fn leave(&mut self) {
        self.is_disturbed(0);
        let which = self.dice.below(3) as usize;
        let mut life = self.lives.remove(which);
        self.begin();
        life.stop_publishing().await;
        life.served.close().await;
        life.node.claims.leave().await;
        life.kill().await;
        self.ended.push(life);
    }

    /// The server is away for some time, longer than senders wait or not.
    fn stop_for_a_while(&mut self) {
        let (carrier, seconds) = (self.carrier.clone(), self.dice.below(20));
        self.is_disturbed(seconds);
        carrier.be_away(true);
        tokio::spawn(async move {
            sleep(Duration::from_secs(seconds)).await;
            carrier.be_away(false);
        });
    }

    fn fill_for_a_while(&mut self) {
        let (carrier, seconds) = (self.carrier.clone(), self.dice.below(10));
        self.is_disturbed(seconds);
        carrier.be_full(true);
        tokio::spawn(async move {
            sleep(Duration::from_secs(seconds)).await;
            carrier.be_full(false);
        });
    }

    /// Notes that something is wrong for some seconds, until it is noticed and mended.
    fn is_disturbed(&mut self, seconds: u64) {
        let begin = self.carrier.time();
        self.disturbed.push((begin, begin + Duration::from_secs(seconds) + MENDING));
    }

    /// Checks that each slot was fired once at most, and returns how many had to be, and how
    /// many of them were.
    fn check_jobs(&self) -> (usize, usize) {
        let (mut due, mut fired) = (0, 0);
        for (job, interval) in
            [(&self.jobs.timer, INTERVAL), (&self.jobs.schedule, Duration::from_secs(60))]
        {
            let slots = job.lock().unwrap();
            assert!(slots.is_sorted_by(|one, next| one < next), "{slots:?}");
            let end = self.carrier.time();
            let begin = FIRST_TERM / 1_000 + MENDING.as_secs();
            let first = begin.next_multiple_of(interval.as_secs());
            let begins = (0..).map(|count| Duration::from_secs(first) + interval * count);
            for begin in begins.take_while(|begin| *begin + INTERVAL < end) {
                let is_calm = |(from, until): &(Duration, Duration)| {
                    begin + INTERVAL < *from || begin > *until
                };
                if self.disturbed.iter().all(is_calm) {
                    due += 1;
                    fired += usize::from(slots.contains(&(begin.as_millis() as u64)));
                }
            }
        }
        (due, fired)
    }

    /// Ends all faults, and waits until all nodes have the same.
    async fn heal(&mut self) {
        for life in &mut self.lives {
            life.stop_publishing().await;
        }
        sleep(Duration::from_secs(25)).await;
        self.carrier.set_faults(0);
        sleep(Duration::from_secs(45)).await;
        for life in &self.lives {
            let mut heard = life.node.heard.subscribe();
            heard.mark_unchanged();
            let beat = timeout(CUT_OFF, heard.changed()).await;
            assert!(beat.is_ok(), "{} is connected", life.name);
            for path in PATHS {
                life.node.signals.send(path, &format!("{}:0", life.name)).await.unwrap();
            }
        }
        sleep(Duration::from_secs(30)).await;
        let ends = |path| {
            let of = |life: &Life| life.channel(path).position();
            self.lives.iter().map(of).collect::<Vec<_>>()
        };
        for path in 0..PATHS.len() {
            let ends = ends(path);
            assert!(ends.iter().all(|end| *end == ends[0]), "all are as far: {ends:?}");
        }
        self.senders.heal().await;
    }

    /// Checks that all nodes know who is there, and nobody else.
    fn check_presence(&self) {
        let staying = self.lives.iter().flat_map(|life| life.staying.lock().unwrap().clone());
        let staying: Vec<_> = staying.collect();
        for path in 0..PATHS.len() {
            let there = staying.iter().filter(|(at, _)| *at == path).map(|(_, id)| id.clone());
            let there: BTreeSet<_> = there.collect();
            for life in &self.lives {
                let known = life.channel(path).log().unwrap().with(|log| {
                    let present = log.presence().at(&None);
                    present.map(|(id, _)| id.to_string()).collect::<BTreeSet<_>>()
                });
                assert_eq!(known, there, "{} at {path}", life.name);
            }
        }
    }

    fn check(&self, faults: Faults) {
        self.senders.check(faults.kills || faults.loses);
        self.check_presence();
        if !faults.loses {
            self.check_last();
        }
        let lives: Vec<_> = self.lives.iter().chain(&self.ended).collect();
        for path in 0..PATHS.len() {
            let mut union = BTreeMap::new();
            for life in &lives {
                for event in life.events(path) {
                    let Event::Message { number, payload } = event else { continue };
                    let before = union.insert(number, payload.clone());
                    assert!(before.is_none_or(|it| it == payload), "{number} is two messages");
                }
            }
            for life in &lives {
                check_one(life, path, &union, faults);
            }
            // Who has seen what was lost may have been killed before it said so.
            let are_witnesses = !(faults.kills && faults.loses);
            for life in self.lives.iter().filter(|_| are_witnesses) {
                check_resumption(life, path, &lives, &union);
            }
        }
    }
}

/// Checks what a node's clients got.
fn check_one(life: &Life, path: usize, union: &BTreeMap<u64, String>, faults: Faults) {
    let (name, events) = (&life.name, life.events(path));
    let missing = events.iter().filter_map(|event| match event {
        Event::Missing { from, until, .. } => Some(*from..*until),
        _ => None,
    });
    let missing: Vec<_> = missing.collect();
    let is_missing = |number| missing.iter().any(|missing| missing.contains(number));
    let (mut got, mut last, mut behind, mut begun) = (BTreeSet::new(), 0, 0, None);
    let mut counters = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for event in &events {
        let number = match event {
            Event::Message { number, payload } => {
                got.insert(*number);
                if !is_missing(number) {
                    assert!(seen.insert(payload.clone()), "{name} gets {payload} twice");
                    let (publisher, counter) = payload.trim_matches('"').rsplit_once(':').unwrap();
                    let counter: u64 = counter.parse().unwrap();
                    let before = counters.insert(publisher.to_owned(), counter);
                    // Who couldn't end a connection has sent on without knowing.
                    let is_in_order = before.is_none_or(|it| it < counter) || faults.is_unfenced;
                    assert!(is_in_order, "{name} gets {payload} late");
                }
                *number
            }
            Event::Epoch { number, .. } => *begun.get_or_insert(*number),
            Event::Missing { until, why, .. } => {
                let may_be = match why {
                    Why::Carrier => faults.trims,
                    _ => faults.loses,
                };
                assert!(may_be, "{name} is told of what isn't missing: {event:?}");
                // Whoever is cut off right before comes from lower.
                assert!(behind < *until, "{name}: {event:?} behind {behind}");
                *until
            }
        };
        assert!(last <= number || matches!(event, Event::Epoch { .. }), "{name}: {event:?}");
        last = last.max(number);
        behind = number + u64::from(matches!(event, Event::Message { .. }));
    }
    let Some(begun) = begun else { return };
    // Whoever is killed has nothing to say of what was lost then.
    if faults.kills && faults.loses {
        return;
    }
    for (number, payload) in union.range(begun..last) {
        let has = got.contains(number) || is_missing(number);
        assert!(has, "{name} lacks {payload} ({number}) of {begun}..{last}");
    }
    let there: BTreeSet<_> = union.values().map(|payload| payload.trim_matches('"')).collect();
    for (payload, sent) in life.sends.lock().unwrap().iter() {
        if !payload.contains(&format!("/{path}:")) {
            continue;
        }
        match sent {
            Ok(()) => assert!(there.contains(&**payload), "{payload} was sent"),
            Err(SendError::Unknown { .. }) => {}
            Err(error) => assert!(!there.contains(&**payload), "{payload} wasn't sent: {error}"),
        }
    }
}

/// Checks that whoever comes to a node with a position that somebody had anywhere gets
/// all that there was since then, or is told that it doesn't.
fn check_resumption(life: &Life, path: usize, lives: &[&Life], union: &BTreeMap<u64, String>) {
    let kept = life.kept(path);
    let lacking: BTreeSet<u64> =
        union.keys().copied().filter(|number| !kept.contains(number)).collect();
    let log = life.channel(path).log().unwrap();
    for other in lives {
        let mut epoch = None;
        let events = other.events(path);
        // Whoever was cut off before it was told is told when it comes back.
        let untold = events.iter().filter_map(|event| match event {
            Event::Missing { from, until, .. } => Some(from + 1..*until),
            _ => None,
        });
        let untold: Vec<_> = untold.collect();
        for event in events {
            let number = match event {
                Event::Message { number, .. } => number + 1,
                Event::Epoch { epoch: it, number } => {
                    epoch = Some(it);
                    number
                }
                Event::Missing { until, .. } => until,
            };
            let Some(epoch) = epoch else { continue };
            let position = Position { epoch, number };
            let resumed = log.with(|log| log.resume(&None, position));
            if resumed.is_ok() && untold.iter().any(|it| it.contains(&number)) {
                panic!("{} tells nothing of a gap to who comes from {position}", life.name);
            }
            let Ok(from) = resumed else { continue };
            let lacks = lacking.range(from..).next();
            let name = &life.name;
            assert_eq!(lacks, None, "{name} lacks this for who comes from {position}");
        }
    }
}

fn run(seeds: Range<u64>, faults: Faults) {
    let (mut due, mut fired) = (0, 0);
    for seed in seeds {
        let (slots, times) = in_world(seed, faults, async |world| world.run(faults).await);
        (due, fired) = (due + slots, fired + times);
    }
    if !faults.loses && !faults.trims {
        assert!(100 * fired >= 95 * due, "fired {fired} of {due}");
    }
}

/// Returns how many slots of jobs had to be fired, and how many were.
fn in_world(seed: u64, faults: Faults, work: impl AsyncFn(&mut World)) -> (usize, usize) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut world = World::new(seed);
            let bounded = timeout(Duration::from_secs(3600), work(&mut world));
            bounded.await.expect("it comes to an end");
            world.check(faults);
            world.check_jobs()
        })
    }));
    ran.unwrap_or_else(|panic| {
        eprintln!("with seed {seed} and {faults:?}");
        resume_unwind(panic)
    })
}

/// Which worlds there are of each kind: 50, or as many as `SEEDS` says, from 0 or `SEED` on.
fn seeds() -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let first = number("SEED").unwrap_or(0);
    first..first + number("SEEDS").unwrap_or(50)
}

const NONE: Faults =
    Faults { loses: false, trims: false, kills: false, is_unfenced: false, scribbles: false };

#[test]
fn nothing_is_lost_and_nobody_is_told_that_it_is() {
    for seed in seeds() {
        in_world(seed, NONE, async |world| {
            let nodes = |world: &World| {
                let of = |life: &Life| life.node.signals.presence_node();
                world.lives.iter().map(of).collect::<Vec<_>>()
            };
            let before = nodes(world);
            world.run(NONE).await;
            assert_eq!(nodes(world), before, "nobody was taken for gone");
        });
    }
}

#[test]
fn nodes_that_come_and_go_miss_nothing() {
    run(seeds(), Faults { kills: true, ..NONE });
}

#[test]
fn what_the_carrier_loses_is_told() {
    run(seeds(), Faults { loses: true, ..NONE });
}

#[test]
fn what_a_node_missed_is_told() {
    run(seeds(), Faults { trims: true, ..NONE });
}

#[test]
fn what_arrives_late_is_got_by_all_nodes() {
    run(seeds(), Faults { is_unfenced: true, ..NONE });
}

#[test]
fn what_others_write_there_is_left_out() {
    run(seeds(), Faults { scribbles: true, ..NONE });
}

#[test]
fn whatever_happens_all_nodes_go_on() {
    run(seeds(), Faults { loses: true, trims: true, kills: true, scribbles: true, ..NONE });
}

#[test]
fn whoever_comes_after_what_is_trimmed_goes_on() {
    run(seeds(), Faults { trims: true, kills: true, ..NONE });
}

/// A term begins with an entry that is no message; a position is behind it.
#[test]
fn whoever_counts_messages_knows_its_position() {
    in_world(0, NONE, async |world| {
        sleep(Duration::from_secs(5)).await;
        for life in &mut world.lives {
            life.stop_publishing().await;
        }
        world.carrier.restart(0);
        sleep(Duration::from_secs(20)).await;
        let positions = |world: &World| {
            let of = |life: &Life| life.channel(0).position().unwrap().number;
            world.lives.iter().map(of).collect::<Vec<_>>()
        };
        let before = positions(world);
        world.lives[0].node.signals.send(PATHS[0], &"counted:0".to_owned()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let expected: Vec<_> = before.iter().map(|number| number + 1).collect();
        assert_eq!(positions(world), expected);
        world.heal().await;
    });
}

/// Its client knows of each message whether it is handled, wherever it comes back.
#[test]
fn who_moves_between_nodes_has_each_message_handled_once() {
    for seed in seeds() {
        in_world(seed, NONE, async |world| {
            world.carrier.set_faults(world.dice.below(4));
            for _ in 0..world.dice.below(20) {
                sleep(Duration::from_millis(world.dice.below(3_000))).await;
                match world.dice.below(4) {
                    0 => world.carrier.restart(0),
                    1 => world.leave().await,
                    _ => {}
                }
            }
            world.heal().await;
            assert!(world.senders.were_known(), "whoever lives knows");
        });
    }
}

/// Numbers that were read before come again: what gets one of them is read by nobody.
#[test]
fn what_goes_to_a_term_that_is_begun_twice_goes_again() {
    for earlier in [0, 1] {
        in_world(0, Faults { loses: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(5)).await;
            world.carrier.begin_anew(earlier);
            world.heal().await;
        });
    }
}

/// A client that comes from another node waits until this one has read as much.
#[test]
fn who_comes_from_a_node_that_is_ahead_waits() {
    in_world(0, NONE, async |world| {
        sleep(Duration::from_secs(5)).await;
        let [one, other] = [0, 1].map(|life| {
            let life = &world.lives[life];
            (Arc::clone(&life.node.catch_up), life.channel(0).clone(), life.node.carrier.clone())
        });
        one.2.be_deaf(true);
        sleep(Duration::from_secs(2)).await;
        let ahead = other.1.position().unwrap();
        assert!(one.1.position().unwrap().number < ahead.number);
        assert!(!one.0.reaches(&one.1, ahead).await, "it hears nothing");
        one.2.be_deaf(false);
        sleep(Duration::from_secs(4)).await;
        let ahead = other.1.position().unwrap();
        assert!(one.0.reaches(&one.1, ahead).await);
        assert!(one.1.position().unwrap().number >= ahead.number);
        // A position that nobody gave out isn't waited for.
        let nowhere = Position { number: ahead.number + 1_000_000, ..ahead };
        assert!(one.0.reaches(&one.1, nowhere).await);
        assert!(one.1.position().unwrap().number < nowhere.number);
        world.heal().await;
    });
}

#[test]
fn positions_that_nobody_gave_out_cost_few_beats() {
    in_world(0, NONE, async |world| {
        sleep(Duration::from_secs(5)).await;
        let node = Arc::clone(&world.lives[0].node);
        let channel = world.lives[0].channel(0).clone();
        let before = node.catch_up.begin_beat();
        let asking = async {
            loop {
                let nowhere = Position { epoch: 7, number: u64::MAX };
                assert!(node.catch_up.reaches(&channel, nowhere).await);
            }
        };
        assert!(timeout(Duration::from_secs(10), asking).await.is_err());
        let beats = node.catch_up.begin_beat() - before;
        assert!((100..=510).contains(&beats), "{beats}");
        world.heal().await;
    });
}

/// What others send while it loads isn't what it began with.
#[test]
fn who_comes_to_a_node_that_has_just_begun_waits() {
    for seed in 0..5 {
        in_world(seed, NONE, async |world| {
            sleep(Duration::from_secs(5)).await;
            world.begin();
            let [other, .., new] = &world.lives[..] else { unreachable!() };
            new.node.carrier.be_deaf(true);
            sleep(Duration::from_secs(20)).await;
            new.node.carrier.be_deaf(false);
            new.node.loaded().await;
            let ahead = other.channel(0).position().unwrap();
            assert!(new.node.catch_up.reaches(new.channel(0), ahead).await);
            assert!(new.channel(0).position().unwrap().number >= ahead.number);
            world.heal().await;
        });
    }
}

/// A term that begins while a node loads isn't what it was to load.
#[test]
fn a_term_that_begins_while_a_node_loads_is_its_own() {
    for seed in 0..10 {
        in_world(seed, Faults { loses: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(5)).await;
            world.begin();
            let new = Arc::clone(&world.lives.last().unwrap().node);
            new.carrier.be_deaf(true);
            sleep(Duration::from_secs(5)).await;
            world.carrier.flush();
            sleep(Duration::from_secs(5)).await;
            new.carrier.be_deaf(false);
            world.heal().await;
        });
    }
}

#[test]
fn what_is_trimmed_before_it_is_back_does_not_go_again() {
    in_world(0, Faults { trims: true, ..NONE }, async |world| {
        sleep(Duration::from_secs(5)).await;
        let carrier = &world.lives[0].node.carrier;
        carrier.be_deaf(true);
        sleep(Duration::from_secs(2)).await;
        carrier.trim(1);
        carrier.be_deaf(false);
        sleep(Duration::from_secs(10)).await;
        carrier.restart(0);
        world.heal().await;
    });
}

/// Then a node that begins doesn't take numbers for good that come twice.
#[test]
fn who_deletes_a_stream_and_writes_to_it_has_no_number_come_twice() {
    for seed in 0..20 {
        in_world(seed, Faults { loses: true, kills: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(5)).await;
            for path in 0..PATHS.len() {
                world.carrier.evict(path);
                world.carrier.scribble(path, false);
            }
            for _ in 0..3 {
                sleep(Duration::from_millis(500)).await;
                world.begin();
            }
            world.heal().await;
        });
    }
}

/// A node comes back to what isn't an entry of any.
#[test]
fn what_a_node_missed_is_told_behind_what_it_cannot_read() {
    for seed in 0..10 {
        in_world(seed, Faults { trims: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(5)).await;
            let carrier = &world.lives[0].node.carrier;
            carrier.be_deaf(true);
            sleep(Duration::from_secs(5)).await;
            carrier.trim(0);
            (0..PATHS.len()).for_each(|path| carrier.scribble(path, false));
            carrier.be_deaf(false);
            world.heal().await;
        });
    }
}

/// Such as after a failover by a name of the network.
#[test]
fn who_reads_where_nothing_comes_any_more_reads_elsewhere() {
    for seed in 0..3 {
        in_world(seed, NONE, async |world| {
            sleep(Duration::from_secs(5)).await;
            world.carrier.fork();
            world.heal().await;
        });
    }
}

#[test]
fn a_node_that_begins_asks_who_is_there() {
    for seed in seeds().take(20) {
        in_world(seed, Faults { trims: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(60)).await;
            world.carrier.trim(0);
            world.begin();
            world.heal().await;
        });
    }
}

/// What it has left at the first node doesn't keep it there, whichever of the two hears
/// first that it has moved.
#[test]
fn who_moves_to_another_node_and_leaves_that_is_gone() {
    for is_cut_first in [true, false] {
        in_world(0, NONE, async |world| {
            sleep(Duration::from_secs(5)).await;
            let [first, second] = [0, 1].map(|life: usize| {
                let signals = world.lives[life].node.signals.clone();
                let id = "mover".parse().unwrap();
                Arc::new(Attendance::new(signals, PATHS[0].as_str(), None, id, true))
            });
            let is_there = |world: &World| {
                let is_at = |life: &Life| {
                    let log = life.channel(0).log().unwrap();
                    log.with(|log| {
                        log.presence().client(&None, &"mover".parse().unwrap()).is_some()
                    })
                };
                [0, 1].map(|life: usize| is_at(&world.lives[life]))
            };
            first.begin("1".into()).await.unwrap();
            sleep(Duration::from_secs(1)).await;
            assert_eq!(is_there(world), [true; 2]);
            if is_cut_first {
                Arc::clone(&first).end(true);
            }
            second.begin("1".into()).await.unwrap();
            if !is_cut_first {
                sleep(Duration::from_secs(1)).await;
                first.end(true);
            }
            second.end(false);
            sleep(GRACE / 2).await;
            assert_eq!(is_there(world), [false; 2]);
            world.heal().await;
        });
    }
}

/// Nobody else is there of its node, which so has nothing to say but that.
#[test]
fn who_has_left_is_gone_where_that_is_missing() {
    in_world(0, Faults { trims: true, ..NONE }, async |world| {
        sleep(Duration::from_secs(5)).await;
        world.begin();
        let [others @ .., life] = &mut world.lives[..] else { unreachable!() };
        life.stop_publishing().await;
        let (signals, path) = (life.node.signals.clone(), PATHS[0].as_str());
        let client = Attendance::new(signals, path, None, "bob".parse().unwrap(), false);
        let client = Arc::new(client);
        life.node.loaded().await;
        client.begin("1".into()).await.unwrap();
        sleep(Duration::from_secs(2)).await;
        others.iter().for_each(|other| other.node.carrier.be_deaf(true));
        client.end(false);
        sleep(Duration::from_secs(2)).await;
        world.carrier.trim(0);
        others.iter().for_each(|other| other.node.carrier.be_deaf(false));
        world.heal().await;
    });
}

/// Such as one that was stopped for a while, and goes on.
#[test]
fn a_node_that_was_taken_for_gone_is_there_again() {
    for seed in seeds().take(20) {
        in_world(seed, NONE, async |world| {
            sleep(Duration::from_secs(20)).await;
            let gone = world.lives[1].node.signals.presence_node();
            for path in 0..PATHS.len() {
                let Life { node, .. } = &world.lives[0];
                let change = PresenceChange::Without { node: gone };
                node.signals.change_in(&node.channels[path], change).await;
            }
            world.heal().await;
            assert_ne!(world.lives[1].node.signals.presence_node(), gone);
        });
    }
}
