//! What nodes say to each other, entry by entry.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance};

use super::*;
use crate::app::sequences::{Heard, Hold, Place};
use crate::backplane::beats::BEAT;

type Claim = JoinHandle<Option<(Hold, Heard)>>;

/// What there is in the stream of the nodes.
#[derive(Clone)]
enum Entry {
    Alive,
    Said(u64, Vec<u8>),
}

struct Process {
    claims: Arc<Claims>,
    sequences: Arc<Sequences>,
    /// How much it has read.
    read: usize,
    is_stopped: bool,
}

#[derive(Default)]
struct World {
    stream: Vec<(u64, Entry)>,
    processes: Vec<Process>,
}

impl World {
    async fn new(nodes: usize) -> World {
        let mut world = World::default();
        for _ in 0..nodes {
            world.begin();
        }
        world.beat().await;
        world
    }

    fn begin(&mut self) {
        let sequences = Arc::<Sequences>::default();
        let claims = Claims::new(self.processes.len() as u64 + 1, &sequences);
        claims.is_loaded();
        let running = Arc::clone(&claims);
        tokio::spawn(async move { running.run().await });
        self.processes.push(Process { claims, sequences, read: 0, is_stopped: false });
    }

    /// Appends what a process has to say.
    fn append(&mut self, which: usize) {
        let claims = Arc::clone(&self.processes[which].claims);
        while let Some((number, said)) = claims.next_due() {
            self.stream.push((claims.node, Entry::Said(number, said)));
        }
    }

    /// Has a process read what there is.
    fn read(&mut self, which: usize) {
        let Process { claims, read, .. } = &mut self.processes[which];
        for (node, entry) in self.stream.iter().skip(*read) {
            match entry {
                Entry::Alive if *node == claims.node => claims.has_beaten(),
                Entry::Alive => claims.is_alive(*node),
                Entry::Said(number, said) => claims.hear(*node, *number, said).unwrap(),
            }
        }
        *read = self.stream.len();
    }

    fn running(&self) -> Vec<usize> {
        let all = 0..self.processes.len();
        all.filter(|which| !self.processes[*which].is_stopped).collect()
    }

    /// Goes on until nobody has anything to say.
    async fn settle(&mut self) {
        let mut goes_on = true;
        while goes_on {
            for _ in 0..10 {
                yield_now().await;
            }
            for which in self.running() {
                self.append(which);
            }
            let read = |world: &World| world.processes.iter().map(|it| it.read).sum::<usize>();
            let before = read(self);
            for which in self.running() {
                self.read(which);
            }
            goes_on = before != read(self);
        }
        for _ in 0..10 {
            yield_now().await;
        }
    }

    async fn beat(&mut self) {
        advance(BEAT).await;
        for which in self.running() {
            self.stream.push((self.processes[which].claims.node, Entry::Alive));
        }
        self.running().into_iter().for_each(|which| self.read(which));
    }

    /// What was appended since is lost, and some have not read it.
    fn lose(&mut self, since: usize) {
        self.stream.truncate(since);
        for process in &mut self.processes {
            process.read = process.read.min(since);
            process.claims.take_again();
            process.claims.ask_again();
        }
    }

    fn claim(&self, which: usize, id: SequenceId) -> Claim {
        let sequences = Arc::clone(&self.processes[which].sequences);
        tokio::spawn(async move { sequences.claim(id, 0).await })
    }

    /// Claims, and returns what is told.
    async fn claimed(&mut self, which: usize, id: SequenceId) -> Option<(Hold, Heard)> {
        let claim = self.claim(which, id);
        self.settle().await;
        claim.await.unwrap()
    }

    fn receive(&self, which: usize, hold: &mut Hold, number: u64) -> Place {
        self.processes[which].sequences.receive(hold, number)
    }

    /// Has a message handled.
    async fn handle(&self, which: usize, hold: &mut Hold, number: u64) {
        assert_eq!(self.receive(which, hold, number), Place::Next);
        let turn = hold.handle(number).await.unwrap();
        assert!(!turn.may_be_repeated);
    }

    fn begin_sequence(&self, which: usize) -> Hold {
        self.processes[which].sequences.begin(0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_sequence_goes_to_the_node_that_asks_and_back() {
    let mut world = World::new(3).await;
    let mut hold = world.begin_sequence(0);
    let mut before = hold.clone();
    for (number, which) in (1..).zip([0, 1, 2, 0, 0, 1, 0]) {
        let told = world.claimed(which, hold.id).await;
        let (next, heard) = told.expect("each node that lives is asked");
        assert_eq!(heard, Heard { number: number - 1, handling: None });
        world.handle(which, &mut { next.clone() }, number).await;
        (before, hold) = (hold, next);
    }
    // Where it was, nothing more is handled.
    assert_eq!(world.receive(1, &mut before, 7), Place::Elsewhere);
    // One that has had no message is known, too.
    let hold = world.begin_sequence(0);
    assert_eq!(world.claimed(1, hold.id).await.unwrap().1, Heard::default());
    // Nobody has one of a process that is gone.
    let foreign = Sequences::default().begin(0).id;
    assert!(world.claimed(1, foreign).await.is_none());
    assert!(world.processes.iter().all(|process| process.claims.state().pending.is_empty()));
    assert!(world.processes.iter().all(|process| process.claims.state().on_its_way.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn who_is_alone_asks_nobody_and_waits_for_nothing() {
    let world = World::new(1).await;
    let foreign = Sequences::default().begin(0).id;
    let began = Instant::now();
    assert!(world.claim(0, foreign).await.unwrap().is_none());
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(world.processes[0].claims.next_due().is_none());
}

/// What comes by the other one is refused, and its client comes back and knows the same.
#[tokio::test(start_paused = true)]
async fn of_two_claims_the_later_one_gets_it_and_the_other_one_had_it() {
    for first in [1, 2] {
        let second = 3 - first;
        let mut world = World::new(3).await;
        let mut hold = world.begin_sequence(0);
        world.handle(0, &mut hold, 1).await;
        let claims = [world.claim(1, hold.id), world.claim(2, hold.id)];
        for _ in 0..10 {
            yield_now().await;
        }
        world.append(first);
        world.append(second);
        world.settle().await;
        let [one, other] = claims;
        let mut told = [one.await.unwrap().unwrap(), other.await.unwrap().unwrap()];
        for (_, heard) in &told {
            assert_eq!(heard.number, 1);
        }
        assert_eq!(world.receive(first, &mut told[first - 1].0, 2), Place::Elsewhere);
        assert_eq!(world.receive(second, &mut told[second - 1].0, 2), Place::Next);
    }
}

/// Otherwise two nodes would handle it at the same time.
#[tokio::test(start_paused = true)]
async fn what_another_node_is_handling_is_waited_for_over_all_that_had_it() {
    for dies in [None, Some(0), Some(1)] {
        let mut world = World::new(3).await;
        let mut hold = world.begin_sequence(0);
        assert_eq!(world.receive(0, &mut hold, 1), Place::Next);
        let turn = hold.handle(1).await.unwrap();
        let mut last = None;
        for which in [1, 2] {
            let (next, heard) = world.claimed(which, hold.id).await.unwrap();
            assert_eq!(heard, Heard { number: 0, handling: Some(1) });
            last = Some(next);
        }
        let mut next = last.unwrap();
        for number in [1, 2] {
            assert_eq!(world.receive(2, &mut next, number), Place::Next);
        }
        assert!(next.handle(1).now_or_never().is_none());
        if let Some(dies) = dies {
            world.processes[dies].is_stopped = true;
            for _ in 0..MOST_SILENT_BEATS {
                world.beat().await;
                world.settle().await;
                assert!(next.handle(1).now_or_never().is_none());
            }
            world.beat().await;
        } else {
            drop(turn);
        }
        world.settle().await;
        let repeated = next.handle(1).now_or_never().unwrap();
        assert_eq!(repeated.map(|turn| turn.may_be_repeated), dies.map(|_| true));
        assert!(!next.handle(2).await.unwrap().may_be_repeated);
    }
}

/// Whoever took it for dead has gone on, and gives back what it has.
#[tokio::test(start_paused = true)]
async fn what_a_node_was_handling_that_was_taken_for_dead_sets_nothing_back() {
    let mut world = World::new(2).await;
    let mut hold = world.begin_sequence(0);
    assert_eq!(world.receive(0, &mut hold, 1), Place::Next);
    let turn = hold.handle(1).await.unwrap();
    let (mut next, _) = world.claimed(1, hold.id).await.unwrap();
    world.processes[0].is_stopped = true;
    for _ in 0..=MOST_SILENT_BEATS {
        world.beat().await;
    }
    assert_eq!(world.receive(1, &mut next, 1), Place::Next);
    assert!(next.handle(1).await.unwrap().may_be_repeated);
    world.handle(1, &mut next, 2).await;
    world.processes[0].is_stopped = false;
    world.settle().await;
    let heard = Heard { number: 2, handling: None };
    assert_eq!(world.claimed(0, hold.id).await.unwrap().1, heard);
    drop(turn);
    world.settle().await;
    assert_eq!(world.claimed(1, hold.id).await.unwrap().1, heard);
}

/// Otherwise the clients of a process that begins again would wait for the one before.
#[tokio::test]
async fn who_begins_asks_those_that_were_there_just_now() {
    let leaving = serde_json::to_vec(&Said::Leaving).unwrap();
    let left = Some((7, &leaving[..]));
    for (is_recent, said, is_asked) in
        [(true, None, true), (false, None, false), (true, left, false)]
    {
        let sequences = Arc::<Sequences>::default();
        let claims = Claims::new(1, &sequences);
        claims.note(2, is_recent, said);
        claims.is_loaded();
        claims.claim(vec![sequences.begin(0).id]);
        assert_eq!(claims.next_due().is_some(), is_asked);
    }
}

/// The client came back while its message was being handled.
#[tokio::test(start_paused = true)]
async fn who_gets_a_sequence_back_waits_for_its_own_handler() {
    let mut world = World::new(2).await;
    let mut hold = world.begin_sequence(0);
    assert_eq!(world.receive(0, &mut hold, 1), Place::Next);
    let turn = hold.handle(1).await.unwrap();
    for which in [1, 0, 1, 0] {
        let heard = world.claimed(which, hold.id).await.unwrap().1;
        assert_eq!(heard, Heard { number: 0, handling: Some(1) });
    }
    drop(turn);
    world.settle().await;
    let (mut hold, heard) = world.claimed(0, hold.id).await.unwrap();
    assert_eq!(heard, Heard { number: 1, handling: None });
    assert_eq!(world.receive(0, &mut hold, 2), Place::Next);
    assert!(!hold.handle(2).await.unwrap().may_be_repeated);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_is_not_waited_for() {
    let mut world = World::new(3).await;
    let mut hold = world.begin_sequence(0);
    world.handle(0, &mut hold, 1).await;
    world.processes[0].is_stopped = true;
    // For some time nobody knows.
    let began = Instant::now();
    assert!(world.claimed(1, hold.id).await.is_none());
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    for _ in 0..=MOST_SILENT_BEATS {
        world.beat().await;
    }
    let began = Instant::now();
    assert!(world.claimed(2, hold.id).await.is_none());
    assert_eq!(began.elapsed(), Duration::ZERO);
    let pending = |which: usize| world.processes[which].claims.state().pending.len();
    assert_eq!((pending(1), pending(2)), (0, 0));
}

/// It has read nothing meanwhile, and its client sends by a connection that it has left.
#[tokio::test(start_paused = true)]
async fn a_node_that_was_stopped_gives_what_was_asked_for() {
    for beats in [0, 1 + MOST_SILENT_BEATS] {
        let mut world = World::new(2).await;
        let mut hold = world.begin_sequence(0);
        world.handle(0, &mut hold, 1).await;
        world.processes[0].is_stopped = true;
        let claim = world.claim(1, hold.id);
        world.settle().await;
        advance(Duration::from_secs(6)).await;
        assert!(claim.await.unwrap().is_none());
        for _ in 0..beats {
            world.beat().await;
        }
        world.processes[0].is_stopped = false;
        world.settle().await;
        assert_eq!(world.receive(0, &mut hold, 2), Place::Elsewhere);
        // Whoever has an older ticket of this client finds it.
        assert_eq!(world.claimed(0, hold.id).await.unwrap().1.number, 1);
        // It has missed beats of others, and takes nobody for dead.
        assert!(world.processes[0].claims.state().others.values().all(Other::is_alive));
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_twice_or_late_changes_nothing() {
    let mut world = World::new(3).await;
    let mut hold = world.begin_sequence(0);
    world.handle(0, &mut hold, 1).await;
    let (mut next, _) = world.claimed(1, hold.id).await.unwrap();
    world.handle(1, &mut next, 2).await;
    let (mut next, _) = world.claimed(2, hold.id).await.unwrap();
    // All that was said comes once more.
    world.stream.extend(world.stream.clone());
    world.settle().await;
    world.handle(2, &mut next, 3).await;
    assert_eq!(world.claimed(0, hold.id).await.unwrap().1.number, 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_back_goes_again_as_it_was() {
    let mut world = World::new(2).await;
    let ids: Vec<_> = (0..2).map(|_| world.begin_sequence(0).id).collect();
    let first = world.claim(1, ids[0]);
    yield_now().await;
    yield_now().await;
    // It is cut off, and doesn't know that this was appended.
    world.append(1);
    world.read(0);
    world.processes[1].claims.take_again();
    let second = world.claim(1, ids[1]);
    world.settle().await;
    assert!(first.await.unwrap().is_some() && second.await.unwrap().is_some());
}

/// A claim, an answer, or that a message is handled.
#[tokio::test(start_paused = true)]
async fn what_is_lost_is_asked_again() {
    for reads in [[false, true], [true, false]] {
        let mut world = World::new(2).await;
        let mut hold = world.begin_sequence(0);
        assert_eq!(world.receive(0, &mut hold, 1), Place::Next);
        let turn = hold.handle(1).await.unwrap();
        let since = world.stream.len();
        let claim = world.claim(1, hold.id);
        yield_now().await;
        yield_now().await;
        world.append(1);
        for (which, reads) in reads.into_iter().enumerate() {
            if reads {
                world.read(which);
            }
        }
        world.lose(since);
        world.settle().await;
        let (mut next, _) = claim.await.unwrap().unwrap();
        assert_eq!(world.receive(1, &mut next, 1), Place::Next);
        let since = world.stream.len();
        drop(turn);
        yield_now().await;
        yield_now().await;
        world.append(0);
        world.read(0);
        world.lose(since);
        world.settle().await;
        assert!(next.handle(1).now_or_never().expect("it isn't waited for").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_gives_what_it_has_to_another_node() {
    let mut world = World::new(3).await;
    let mut ids = Vec::new();
    for number in 0..2 * MAX_NAMES + 10 {
        let mut hold = world.begin_sequence(0);
        world.handle(0, &mut hold, 1).await;
        if number % 2 == 0 {
            world.processes[0].sequences.leave(&hold);
        }
        ids.push(hold.id);
    }
    let claims = Arc::clone(&world.processes[0].claims);
    let leaving = tokio::spawn(async move { claims.leave().await });
    yield_now().await;
    // Somebody asks before that is there.
    let claim = world.claim(2, ids[0]);
    yield_now().await;
    yield_now().await;
    world.append(2);
    world.settle().await;
    assert_eq!(claim.await.unwrap().unwrap().1.number, 1);
    leaving.await.unwrap();
    world.processes[0].is_stopped = true;
    let began = Instant::now();
    for (which, id) in [(1, ids[1]), (2, ids[2]), (1, *ids.last().unwrap()), (2, ids[1])] {
        assert_eq!(world.claimed(which, id).await.unwrap().1.number, 1);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_waits_for_what_it_has_asked_for() {
    let mut world = World::new(3).await;
    let mut hold = world.begin_sequence(0);
    world.handle(0, &mut hold, 1).await;
    let _claim = world.claim(1, hold.id);
    yield_now().await;
    yield_now().await;
    let claims = Arc::clone(&world.processes[1].claims);
    let leaving = tokio::spawn(async move { claims.leave().await });
    world.settle().await;
    leaving.await.unwrap();
    assert_eq!(world.claimed(2, hold.id).await.unwrap().1.number, 1);
}

/// It has a sequence whose message still another node is handling.
#[tokio::test(start_paused = true)]
async fn who_leaves_tells_the_ends_that_others_wait_for() {
    let mut world = World::new(3).await;
    let mut hold = world.begin_sequence(0);
    assert_eq!(world.receive(0, &mut hold, 1), Place::Next);
    let turn = hold.handle(1).await.unwrap();
    world.claimed(1, hold.id).await.unwrap();
    let claims = Arc::clone(&world.processes[1].claims);
    let leaving = tokio::spawn(async move { claims.leave().await });
    world.settle().await;
    let (mut next, _) = world.claimed(2, hold.id).await.unwrap();
    assert_eq!(world.receive(2, &mut next, 1), Place::Next);
    drop(turn);
    world.settle().await;
    leaving.await.unwrap();
    assert!(next.handle(1).now_or_never().expect("it isn't waited for").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_clients_is_few_entries() {
    let mut world = World::new(3).await;
    let mut claims = Vec::new();
    for which in 0..10_000 {
        let hold = world.begin_sequence(which % 2);
        claims.push(world.claim(2, hold.id));
    }
    while world.processes[2].claims.state().pending.len() < claims.len() {
        yield_now().await;
    }
    let before = world.stream.len();
    world.settle().await;
    assert!(world.stream.len() - before < 200, "{}", world.stream.len() - before);
    for claim in claims {
        assert!(claim.await.unwrap().is_some());
    }
    let state = world.processes[2].claims.state();
    assert!(state.pending.is_empty() && state.outbox.is_empty());
}
